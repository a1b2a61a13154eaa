//! Which of the dead letters are meant.

use std::time::{Duration, SystemTime};

use super::letter::{Letter, Seen};
use crate::binding_key::BindingKey;
use crate::expression::{Expression, glob};

/// Which of the dead letters are meant; all of them unless something is set. What is set must hold together.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Selection {
    /// In the dead letters of these queues. Either name will do: that of the queue, or that of its dead letters.
    pub queues: Vec<String>,
    /// Of this handler; `*` stands for any text.
    pub handler: Option<String>,
    /// With this reason.
    pub reason: Option<String>,
    /// With this text in the error, upper and lower case alike.
    pub error: Option<String>,
    /// Of this message type, by topic.
    pub message_type: Option<String>,
    /// Published with a routing key that this pattern matches.
    pub key: Option<BindingKey>,
    /// At least so old.
    pub older: Option<Duration>,
    /// At most so old.
    pub newer: Option<Duration>,
    /// With one of these ids: of the letter, or of the message.
    pub ids: Vec<String>,
    /// That failed alike: the name of a [`Group`](super::Group).
    pub group: Option<String>,
    /// Of which this is true; its fields are [`Letter::FIELDS`].
    pub expression: Option<Expression>,
}

impl Selection {
    /// Whether a letter is meant. The queue is not looked at here.
    #[must_use]
    pub fn matches(&self, letter: &Letter, now: SystemTime) -> bool {
        let Self {
            queues: _,
            handler,
            reason,
            error,
            message_type,
            key,
            older,
            newer,
            ids,
            group,
            expression,
        } = self;
        let age = letter.age(now);
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        let holds = |wanted: &Option<String>, found: Option<&str>, holds: fn(&str, &str) -> bool| {
            wanted.as_deref().is_none_or(|wanted| found.is_some_and(|found| holds(wanted, found)))
        };
        (ids.is_empty() || ids.iter().any(|id| is_id(id, letter)))
            && holds(handler, letter.handler.as_deref(), glob)
            && is(reason, Some(&letter.reason))
            && is(message_type, letter.message_type())
            && holds(error, letter.error.as_deref(), contains)
            && key.as_ref().is_none_or(|key| key.matches(&letter.routing_key))
            && older.is_none_or(|older| age.is_some_and(|age| age >= older))
            && newer.is_none_or(|newer| age.is_some_and(|age| age <= newer))
            && group.as_ref().is_none_or(|group| letter.group() == *group)
            && expression.as_ref().is_none_or(|expression| expression.matches(&Seen { letter, now }))
    }

    /// Whether everything in the chosen queues is meant.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        let Self {
            queues: _,
            handler,
            reason,
            error,
            message_type,
            key,
            older,
            newer,
            ids,
            group,
            expression,
        } = self;
        let texts = [handler, reason, error, message_type, group];
        texts.iter().all(|text| text.is_none())
            && key.is_none()
            && older.is_none()
            && newer.is_none()
            && ids.is_empty()
            && expression.is_none()
    }
}

fn is_id(id: &str, letter: &Letter) -> bool {
    letter.id == id || letter.message_id() == Some(id)
}

fn contains(wanted: &str, found: &str) -> bool {
    found.to_lowercase().contains(&wanted.to_lowercase())
}
