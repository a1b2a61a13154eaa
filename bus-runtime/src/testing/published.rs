//! What was published, as assertions: of one message type, or under a routing key.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::call::decoded;
use super::core::Core;
use super::misses::is_first;
use crate::binding_key::BindingKey;
use crate::envelope::Envelope;
use crate::message::Message;

/// What was published of one message type, by the test and by handlers, from
/// [`TestBus::published`](super::TestBus::published). Commands count, copies for another attempt do not.
#[must_use = "it asserts nothing until it is asked"]
pub struct Published<'b, M> {
    core: &'b Core,
    messages: PhantomData<M>,
}

/// What was published under routing keys that match a binding key, from
/// [`TestBus::published_to`](super::TestBus::published_to). Copies for another attempt do not count.
#[must_use = "it asserts nothing until it is asked"]
pub struct PublishedTo<'b> {
    core: &'b Core,
    key: BindingKey,
}

/// One message that was published.
#[derive(Clone, Debug)]
pub struct PublishedMessage(Arc<Envelope>);

impl PublishedMessage {
    /// The whole message: exchange, routing key, headers, properties, body.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.0
    }

    /// The routing key.
    #[must_use]
    pub fn routing_key(&self) -> &str {
        &self.0.routing_key
    }

    /// The body, decoded from JSON.
    ///
    /// # Panics
    /// When it is not what the type needs.
    #[must_use]
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        decoded(&self.0.body, &self.0.routing_key)
    }
}

impl<'b, M: Message> Published<'b, M> {
    pub(super) fn new(core: &'b Core) -> Self {
        Self { core, messages: PhantomData }
    }

    /// All of them, in order.
    ///
    /// # Panics
    /// When one cannot be decoded.
    #[must_use]
    #[track_caller]
    pub fn all(&self) -> Vec<M> {
        let of_type = |envelope: &Envelope| envelope.properties.message_type.as_deref() == Some(M::TOPIC);
        let all = first(self.core, of_type).into_iter();
        all.map(|envelope| decoded(&envelope.body, &envelope.routing_key)).collect()
    }

    /// The only one.
    ///
    /// # Panics
    /// When there is none, or more than one.
    #[must_use = "`none` and `count` assert without the message"]
    #[track_caller]
    pub fn one(&self) -> M {
        self.count(1);
        self.all().swap_remove(0)
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
        compare(self.core, self.all().len(), wanted, M::TOPIC);
    }
}

impl<'b> PublishedTo<'b> {
    pub(super) fn new(core: &'b Core, key: BindingKey) -> Self {
        Self { core, key }
    }

    /// All of them, in order.
    #[must_use]
    #[track_caller]
    pub fn all(&self) -> Vec<PublishedMessage> {
        let all = first(self.core, |envelope| self.key.matches(&envelope.routing_key)).into_iter();
        all.map(PublishedMessage).collect()
    }

    /// The only one.
    ///
    /// # Panics
    /// When there is none, or more than one.
    #[must_use = "`none` and `count` assert without the message"]
    #[track_caller]
    pub fn one(&self) -> PublishedMessage {
        self.count(1);
        self.all().swap_remove(0)
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
        compare(self.core, self.all().len(), wanted, self.key.as_ref());
    }
}

/// The messages that are wanted, each as it was published first.
fn first(core: &Core, wanted: impl Fn(&Envelope) -> bool) -> Vec<Arc<Envelope>> {
    let mut ids = HashSet::new();
    let mut published = core.journal.published();
    published.retain(|envelope| {
        is_first(envelope) && wanted(envelope) && ids.insert(envelope.properties.message_id.clone())
    });
    published
}

#[track_caller]
fn compare(core: &Core, found: usize, wanted: usize, what: &str) {
    let verb = if found == 1 { "was" } else { "were" };
    assert!(found == wanted, "{found} `{what}` {verb} published, not {wanted}\n{}", core.story());
}

impl<M: Message> fmt::Debug for Published<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Published({})", M::TOPIC)
    }
}

impl fmt::Debug for PublishedTo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublishedTo({})", self.key)
    }
}
