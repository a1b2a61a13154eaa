//! What is with the dead letters, as assertions.

use std::fmt;

use serde::de::DeserializeOwned;

use super::call::decoded;
use super::core::Core;
use crate::dead_letters::Letter;
use crate::envelope::Envelope;

/// What is with the dead letters, from [`TestBus::dead_letters`](super::TestBus::dead_letters).
#[must_use = "it asserts nothing until it is asked"]
pub struct DeadLetters<'b> {
    core: &'b Core,
    letters: Vec<DeadLetter>,
}

/// One dead letter.
#[derive(Clone, Debug)]
pub struct DeadLetter(Letter);

impl DeadLetter {
    /// Why it is here, in one word: see [`DeadLetterReason`](crate::DeadLetterReason), or what the broker says.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// The text of the last error; empty when the broker has moved it.
    #[must_use]
    pub fn error(&self) -> &str {
        self.0.error.as_deref().unwrap_or_default()
    }

    /// The handler that gave up; empty when the broker has moved it.
    #[must_use]
    pub fn handler(&self) -> &str {
        self.0.handler.as_deref().unwrap_or_default()
    }

    /// The queue it came from.
    #[must_use]
    pub fn queue(&self) -> &str {
        &self.0.queue
    }

    /// The routing key it was first published with.
    #[must_use]
    pub fn routing_key(&self) -> &str {
        &self.0.routing_key
    }

    /// The number of its last attempt; 0 when no handler was called.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts.unwrap_or_default()
    }

    /// The body, decoded from JSON.
    ///
    /// # Panics
    /// When it is not what the type needs.
    #[must_use]
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        decoded(&self.0.envelope.body, &self.0.routing_key)
    }

    /// The whole message.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.0.envelope
    }

    /// All that is known about it.
    #[must_use]
    pub fn letter(&self) -> &Letter {
        &self.0
    }
}

impl<'b> DeadLetters<'b> {
    pub(super) fn new(core: &'b Core) -> Self {
        Self { core, letters: core.letters().into_iter().map(DeadLetter).collect() }
    }

    /// Those of one handler alone; the names of its handlers and of their queues.
    pub(super) fn of(mut self, names: &[&str], queues: &[&str]) -> Self {
        self.letters.retain(|letter| match &letter.0.handler {
            Some(handler) => names.contains(&handler.as_str()),
            None => queues.contains(&letter.queue()),
        });
        self
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[DeadLetter] {
        &self.letters
    }

    /// The only one.
    ///
    /// # Panics
    /// When there is none, or more than one.
    #[must_use = "`none` and `count` assert without the letter"]
    #[track_caller]
    pub fn one(&self) -> DeadLetter {
        self.count(1);
        self.letters[0].clone()
    }

    /// Asserts that there is none.
    ///
    /// # Panics
    /// When there is one.
    #[track_caller]
    pub fn none(&self) {
        self.count(0);
    }

    /// Asserts how many there are.
    ///
    /// # Panics
    /// When there are not so many.
    #[track_caller]
    pub fn count(&self, wanted: usize) {
        let told: Vec<_> = self
            .letters
            .iter()
            .map(|letter| format!("  {}: {} ({})\n", letter.queue(), letter.error(), letter.reason()))
            .collect();
        let found = told.len();
        assert!(
            found == wanted,
            "{found} dead letters, not {wanted}\n{}{}",
            told.concat(),
            self.core.story()
        );
    }
}

impl fmt::Debug for DeadLetters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.letters).finish()
    }
}
