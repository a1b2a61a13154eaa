//! What is with the dead letters, as assertions.

use std::fmt;
use std::sync::Arc;

use super::TestBus;
use crate::envelope::{Envelope, header};

/// What is with the dead letters.
#[must_use = "it asserts nothing until it is asked"]
pub struct DeadLetters<'b> {
    bus: &'b TestBus,
    letters: Vec<DeadLetter>,
}

/// One dead letter.
#[derive(Clone, Debug)]
pub struct DeadLetter(Arc<Envelope>);

impl DeadLetter {
    pub(super) fn new(envelope: Arc<Envelope>) -> Self {
        Self(envelope)
    }

    /// Why it is here, in one word: see [`DeadLetterReason`](crate::DeadLetterReason).
    #[must_use]
    pub fn reason(&self) -> &str {
        self.text(header::REASON)
    }

    /// The text of the last error.
    #[must_use]
    pub fn error(&self) -> &str {
        self.text(header::ERROR)
    }

    /// The handler that gave up.
    #[must_use]
    pub fn handler(&self) -> &str {
        self.text(header::HANDLER)
    }

    /// The queue it came from.
    #[must_use]
    pub fn queue(&self) -> &str {
        self.text(header::QUEUE)
    }

    /// The routing key it was first published with.
    #[must_use]
    pub fn routing_key(&self) -> &str {
        self.text(header::ROUTING_KEY)
    }

    /// The number of its last attempt.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0
            .headers
            .int(header::ATTEMPT)
            .and_then(|attempts| u32::try_from(attempts).ok())
            .unwrap_or_default()
    }

    /// The whole message.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.0
    }

    fn text(&self, name: &str) -> &str {
        self.0.headers.text(name).unwrap_or_default()
    }
}

impl<'b> DeadLetters<'b> {
    pub(super) fn new(bus: &'b TestBus, letters: Vec<DeadLetter>) -> Self {
        Self { bus, letters }
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
    pub fn one(&self) -> DeadLetter {
        self.count(1);
        self.letters[0].clone()
    }

    /// Asserts that there is none.
    ///
    /// # Panics
    /// When there is one.
    pub fn none(&self) {
        self.count(0);
    }

    /// Asserts how many there are.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn count(&self, wanted: usize) {
        let told: Vec<_> = self
            .letters
            .iter()
            .map(|letter| format!("  {}: {} ({})\n", letter.queue(), letter.error(), letter.reason()))
            .collect();
        let found = told.len();
        assert!(found == wanted, "{found} dead letters, not {wanted}\n{}{}", told.concat(), self.bus.story());
    }
}

impl fmt::Debug for DeadLetters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.letters).finish()
    }
}
