//! What happened to a message, in plain words.

use std::time::SystemTime;

use super::letter::{Letter, Undertaker};
use crate::topology::plan::DELIVERY_LIMIT;

impl Letter {
    /// What happened to the message, in sentences for people.
    #[must_use]
    pub fn explain(&self, now: SystemTime) -> Vec<String> {
        let mut told = vec![self.what_happened()];
        if let Some(error) = &self.error {
            let after =
                if self.by == Undertaker::Worker { "The error" } else { "The last error before that" };
            told.push(format!("{after}: {error}"));
        }
        if let (Some(first), Some(last)) = (self.first_failed_at, self.last_failed_at) {
            let between =
                humantime::format_duration(whole_seconds(last.duration_since(first).unwrap_or_default()));
            if first != last {
                told.push(format!("From the first failure to the last it took {between}."));
            }
        }
        if let Some(age) = self.age(now) {
            told.push(format!("That was {} ago.", humantime::format_duration(whole_seconds(age))));
        }
        match (&self.member, &self.instance) {
            (_, Some(instance)) => {
                told.push(format!("Only the instance `{instance}` failed: a replay calls that one alone."));
            }
            (Some(member), None) => {
                told.push(format!("The queue has several handlers; a replay calls {member} alone."));
            }
            (None, None) => {}
        }
        match self.replays {
            0 => {}
            1 => told.push("It was replayed once, and came back.".to_owned()),
            many => told.push(format!("It was replayed {many} times, and came back each time.")),
        }
        told
    }

    fn what_happened(&self) -> String {
        let handler = self.handler.as_deref().unwrap_or("the handler");
        match (self.by, self.reason.as_str()) {
            (Undertaker::Worker, reason) => self.given_up(handler, reason),
            (Undertaker::Broker, "rejected") => format!(
                "The broker moved it: a worker of `{}` could not write down why, mostly because its headers are too large for a copy that tells the story ({} headers).",
                self.queue,
                self.envelope.headers.len()
            ),
            (Undertaker::Broker, "expired") => format!(
                "The broker moved it: it waited in `{}` for longer than its time to live, and no handler was called.",
                self.queue
            ),
            (Undertaker::Broker, "maxlen") => format!(
                "The broker moved it: `{}` was full, and dropped its oldest message for a new one. No handler was called.",
                self.queue
            ),
            (Undertaker::Broker, "delivery_limit") => format!(
                "The broker moved it: it was delivered more than {DELIVERY_LIMIT} times and never settled. It may kill the worker that handles it (a crash, out of memory), or the connection was lost each time.",
            ),
            (Undertaker::Broker, other) => format!("The broker moved it, and says: {other}."),
            (Undertaker::Unknown, _) => format!(
                "Nothing is known: it lies in `{}`, and neither a worker nor the broker wrote down why.",
                self.dead_queue
            ),
        }
    }

    fn given_up(&self, handler: &str, reason: &str) -> String {
        let attempts = match self.attempts {
            Some(1) | None => "its only attempt".to_owned(),
            Some(many) => format!("all {many} attempts"),
        };
        match (reason, self.error_type.as_deref()) {
            ("failed", Some("panic")) => format!("{handler} failed in {attempts}; the last one panicked."),
            ("failed", Some("timeout")) => {
                format!("{handler} failed in {attempts}; the last one took too long.")
            }
            ("failed", _) => format!("{handler} failed in {attempts}."),
            ("permanent", _) => format!("{handler} said that trying again is no use."),
            ("rejected", _) => format!("{handler} rejected it."),
            ("decode", _) => format!("{handler} was not called: the body is not what it takes."),
            ("malformed", _) => {
                format!(
                    "{handler} was not called: something beside the body cannot be read; this is what could be made of it."
                )
            }
            ("too_large", _) => format!("{handler} was not called: the body is larger than the limit."),
            ("unknown_type", _) => "No handler of the queue is for this type or routing key.".to_owned(),
            ("routing", _) => {
                format!("{handler} was not called: a word of the routing key is not what it takes.")
            }
            ("no_instance", _) => {
                format!("{handler} was not called: there is no instance at that project and mount point.")
            }
            ("missing", _) => format!("{handler} was not called: something that it takes is missing."),
            (other, _) => format!("{handler} gave it up: {other}."),
        }
    }
}

fn whole_seconds(time: std::time::Duration) -> std::time::Duration {
    std::time::Duration::from_secs(time.as_secs())
}
