//! What a test's bus consists of, whatever it runs on.

use std::sync::{Arc, Mutex, PoisonError};

use super::journal::Journal;
use super::link::Link;
use super::timeline::timeline;
use crate::app::Bus;
use crate::dead_letters::Letter;
use crate::error::Error;
use crate::transport::embedded::EmbeddedBroker;

/// What a test's bus consists of.
pub(super) struct Core {
    pub(super) bus: Bus,
    /// What stands between the app and its broker.
    pub(super) link: Arc<Link>,
    /// The broker, when it is in this process.
    pub(super) broker: Option<EmbeddedBroker>,
    pub(super) journal: Arc<Journal>,
    /// Where it is, when it is not.
    #[cfg(feature = "rabbitmq")]
    pub(super) url: Option<crate::broker_url::BrokerUrl>,
    /// The dead letters as they were when the bus had settled, on a broker that has to be asked.
    pub(super) letters: Mutex<Vec<Letter>>,
}

impl Core {
    /// What has happened until now, for panics, which must explain themselves.
    pub(super) fn story(&self) -> String {
        match self.timeline() {
            timeline if timeline.is_empty() => "nothing has happened until now\n".to_owned(),
            timeline => format!("until now:\n{timeline}"),
        }
    }

    pub(super) fn timeline(&self) -> String {
        timeline(&self.journal, &self.bus.running().hub.settings.prefix)
    }

    /// The dead letters: of now, or of when the bus had settled.
    pub(super) fn letters(&self) -> Vec<Letter> {
        let Some(broker) = &self.broker else {
            return self.letters.lock().unwrap_or_else(PoisonError::into_inner).clone();
        };
        let queues = self.bus.plan().queues.iter();
        let letters = queues.flat_map(|queue| {
            broker.peek(&queue.dead).into_iter().map(|envelope| Letter::of(envelope, &queue.dead))
        });
        letters.collect()
    }

    /// Asks the broker for the dead letters.
    pub(super) async fn look_for_letters(&self) -> Result<(), Error> {
        if self.broker.is_some() {
            return Ok(());
        }
        let mut letters = Vec::new();
        for queue in &self.bus.plan().queues {
            let mut browser = self.bus.transport().browse(&queue.dead).await?;
            while let Some(incoming) = browser.next().await? {
                letters.push(Letter::of(incoming.envelope, &queue.dead));
            }
            browser.close().await?;
        }
        *self.letters.lock().unwrap_or_else(PoisonError::into_inner) = letters;
        Ok(())
    }
}

/// What helps against an error, in brackets.
pub(super) fn help(error: &Error) -> String {
    error.help().map(|help| format!(" ({help})")).unwrap_or_default()
}

/// The value, or a panic that says what the bus does not do.
pub(super) fn expect<T>(what: &str, result: Result<T, Error>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the bus does not {what}: {error}{}", help(&error)),
    }
}
