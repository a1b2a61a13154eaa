//! What was published of one message type, as assertions.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use super::TestBus;
use crate::envelope::{Envelope, header};
use crate::message::Message;

/// What was published of one message type, by the test and by handlers. Copies for another attempt do not count.
#[must_use = "it asserts nothing until it is asked"]
pub struct Published<'b, M> {
    bus: &'b TestBus,
    messages: PhantomData<M>,
}

impl<'b, M: Message> Published<'b, M> {
    pub(super) fn new(bus: &'b TestBus) -> Self {
        Self { bus, messages: PhantomData }
    }

    /// All of them, in order.
    ///
    /// # Panics
    /// When one cannot be decoded.
    #[must_use]
    pub fn all(&self) -> Vec<M> {
        let mut ids = HashSet::new();
        let log = self.bus.log().all();
        let of_type = log
            .iter()
            .filter(|envelope| is_first(envelope) && ids.insert(envelope.properties.message_id.clone()));
        let of_type =
            of_type.filter(|envelope| envelope.properties.message_type.as_deref() == Some(M::TOPIC));
        of_type
            .map(|envelope| match serde_json::from_slice(&envelope.body) {
                Ok(message) => message,
                Err(error) => {
                    panic!("a published `{}` can't be decoded: {error}\n{}", M::TOPIC, self.bus.story())
                }
            })
            .collect()
    }

    /// The only one.
    ///
    /// # Panics
    /// When there is none, or more than one.
    #[must_use = "`none` and `count` assert without the message"]
    pub fn one(&self) -> M {
        let mut all = self.all();
        assert!(all.len() == 1, "{} `{}` were published, not 1\n{}", all.len(), M::TOPIC, self.bus.story());
        all.swap_remove(0)
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
        let found = self.all().len();
        assert!(found == wanted, "{found} `{}` were published, not {wanted}\n{}", M::TOPIC, self.bus.story());
    }
}

/// Whether it is the message itself, and not a copy for another attempt or for the dead letters.
fn is_first(envelope: &Envelope) -> bool {
    envelope.headers.get(header::HANDLER).is_none()
}

impl<M: Message> fmt::Debug for Published<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Published({})", M::TOPIC)
    }
}
