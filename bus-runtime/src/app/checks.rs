//! What can be said of a program as a whole, without running it.

use super::App;
use crate::check::{self, Finding, Lock, Program};
use crate::config::Config;
use crate::error::{Error, Place};
use crate::message::Message;
use crate::registration::{MessageRegistration, PublishRegistration};
use crate::topology::Plan;
use crate::worker::HandlerFailed;

impl App {
    /// Everything that looks wrong with the program as a whole, without a broker: what the command `check` tells. All handlers
    /// count, whatever `--handlers` says.
    ///
    /// ```standalone_crate
    /// # use bus_runtime::prelude::*;
    /// #[react("wiki.#")]
    /// async fn on_wiki() {}
    ///
    /// // In a test of your program:
    /// assert_eq!(bus_runtime::app().check().unwrap(), []);
    /// ```
    ///
    /// # Errors
    /// Every contradiction between the handlers.
    pub fn check(&self) -> Result<Vec<Finding>, Vec<Error>> {
        let (config, plan) = self.whole_plan()?;
        let messages = self.messages();
        let published: Vec<_> = sorted(PublishRegistration::linked().collect(), |one| one.place);
        Ok(check::check(Program {
            plan: &plan,
            settings: &config.plan,
            messages: &messages,
            published: &published,
            ack_timeout: config.ack_timeout,
        }))
    }

    /// What the program promises to others, as `bus.lock` keeps it.
    ///
    /// # Errors
    /// Every contradiction between the handlers.
    pub fn lock(&self) -> Result<Lock, Vec<Error>> {
        let (_, plan) = self.whole_plan()?;
        Ok(Lock::of(&plan, &self.messages()))
    }

    /// The plan of all handlers.
    fn whole_plan(&self) -> Result<(Config, Plan), Vec<Error>> {
        let mut config = self.settings().map_err(|error| vec![error])?;
        config.handlers.clear();
        config.groups.clear();
        config.exclude.clear();
        let plan = self.plan_with(&config)?;
        Ok((config, plan))
    }

    /// The message types that are linked into the program.
    fn messages(&self) -> Vec<&'static MessageRegistration> {
        // What Bus itself publishes is nobody's promise.
        let linked = MessageRegistration::linked().filter(|one| one.message.topic != HandlerFailed::TOPIC);
        sorted(linked.collect(), |one| one.place)
    }
}

/// Link-time registration promises no order.
fn sorted<T: Copy>(mut all: Vec<T>, place: impl Fn(T) -> Place) -> Vec<T> {
    all.sort_by_key(|one| place(*one));
    all
}
