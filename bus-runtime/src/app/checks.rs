//! What can be said of a program as a whole, without running it.

use super::App;
#[cfg(feature = "cli")]
use super::Registrations;
use crate::check::{self, Finding, Lock, Program};
use crate::config::Config;
#[cfg(feature = "cli")]
use crate::config::closest;
#[cfg(feature = "cli")]
use crate::docs;
use crate::error::{Error, Place};
use crate::message::Message;
#[cfg(feature = "cli")]
use crate::registration::{HandlerOptions, HandlerRegistration};
use crate::registration::{MessageRegistration, PublishRegistration};
use crate::session::{SessionEnded, SessionStarted};
use crate::topology::Plan;
#[cfg(feature = "cli")]
use crate::topology::{HandlerEntry, override_name};
use crate::worker::{CommandFinished, CommandStarted, HandlerFailed};

/// The topics that Bus itself publishes.
pub(super) const OF_BUS: [&str; 5] = [
    HandlerFailed::TOPIC,
    CommandStarted::TOPIC,
    CommandFinished::TOPIC,
    SessionStarted::TOPIC,
    SessionEnded::TOPIC,
];

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

    /// Makes a document about the program. All handlers count, whatever `--handlers` says.
    #[cfg(feature = "cli")]
    pub(crate) fn document<T>(&self, make: impl FnOnce(docs::Subject<'_>) -> T) -> Result<T, Vec<Error>> {
        let (config, plan) = self.whole_plan()?;
        let published: Vec<_> = sorted(PublishRegistration::linked().collect(), |one| one.place);
        Ok(make(docs::Subject {
            name: &self.app_name(),
            version: self.app_version(),
            plan: &plan,
            settings: &config.plan,
            messages: &self.messages(),
            published: &published,
        }))
    }

    /// What the attributes of a handler's function say.
    #[cfg(feature = "cli")]
    pub(crate) fn attributes_of(&self, entry: &HandlerEntry) -> Vec<HandlerOptions> {
        let of_it = |one: &&HandlerRegistration| (one.identity)() == (entry.identity)();
        match &self.registrations {
            Registrations::Linked => {
                HandlerRegistration::linked().filter(of_it).map(|one| one.options).collect()
            }
            Registrations::Explicit(all) => all.iter().filter(of_it).map(|one| one.options).collect(),
        }
    }

    /// Adds a warning for each setting of a single handler that there is not.
    #[cfg(feature = "cli")]
    pub(crate) fn note_unused_overrides(&self, config: &mut Config) {
        if config.plan.overrides.is_empty() {
            return;
        }
        // What else is wrong with the plan is told by whoever needs it.
        let Ok(plan) = self.plan_with(&Config {
            handlers: Vec::new(),
            groups: Vec::new(),
            exclude: Vec::new(),
            ..config.clone()
        }) else {
            return;
        };
        let names: Vec<_> = plan.handlers.iter().map(|entry| override_name(&entry.name)).collect();
        for unused in config.plan.overrides.iter().filter(|one| !names.contains(&one.handler)) {
            let near = closest(&unused.handler, names.iter().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            let text =
                format!("there is no handler {}, and what is set for it is not used{near}", unused.handler);
            config.warnings.push(text);
        }
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
    pub(crate) fn messages(&self) -> Vec<&'static MessageRegistration> {
        // What Bus itself publishes is nobody's promise.
        let linked = MessageRegistration::linked().filter(|one| !OF_BUS.contains(&one.message.topic));
        sorted(linked.collect(), |one| one.place)
    }
}

/// Link-time registration promises no order.
fn sorted<T: Copy>(mut all: Vec<T>, place: impl Fn(T) -> Place) -> Vec<T> {
    all.sort_by_key(|one| place(*one));
    all
}
