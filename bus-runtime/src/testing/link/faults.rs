//! Which trouble a test has planned between the app and its broker, and for which messages.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::{Link, lock};
use crate::binding_key::BindingKey;
use crate::envelope::{Envelope, header};
use crate::seam::{self, Dice};

/// What can go wrong with one message.
#[derive(Clone, Copy, Debug)]
pub(in crate::testing) enum Trouble {
    Publish(OnPublish),
    Acknowledge(OnAck),
}

/// What can go wrong when a message is published.
#[derive(Clone, Copy, Debug)]
pub(in crate::testing) enum OnPublish {
    /// The broker does not take it.
    Refused,
    /// It arrives twice.
    Twice,
    /// It arrives, and nobody hears of that.
    NoConfirm,
}

/// What can go wrong when a message is acknowledged.
#[derive(Clone, Copy, Debug)]
pub(in crate::testing) enum OnAck {
    /// The connection is lost before.
    Crash,
    /// It is lost, and the message comes again after this time.
    Late(Duration),
}

impl fmt::Display for OnPublish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "the broker refuses it",
            Self::Twice => "it arrives twice",
            Self::NoConfirm => "it arrives, and the confirm is lost",
        })
    }
}

impl fmt::Display for OnAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash => f.write_str("the worker crashes before it acknowledges"),
            Self::Late(time) => write!(f, "the acknowledgement is lost; it comes again in {time:?}"),
        }
    }
}

/// What a test has planned.
#[derive(Default)]
pub(super) struct Faults {
    planned: Mutex<Vec<Planned>>,
    order: Mutex<Option<Dice>>,
}

struct Planned {
    trouble: Trouble,
    /// Whose routing keys it is for; all when nothing is said.
    key: Option<BindingKey>,
    left: u32,
}

impl Faults {
    /// Plans trouble for one message.
    pub(super) fn plan(&self, trouble: Trouble) -> usize {
        let mut planned = lock(&self.planned);
        planned.push(Planned { trouble, key: None, left: 1 });
        planned.len() - 1
    }

    pub(super) fn reorder(&self, seed: u64) {
        *lock(&self.order) = Some(seam::dice(seed));
    }

    /// What throws the order of messages; nothing while that is kept.
    pub(super) fn order(&self) -> MutexGuard<'_, Option<Dice>> {
        lock(&self.order)
    }

    /// What goes wrong with a message that is published.
    pub(super) fn of_publish(&self, envelope: &Envelope) -> Option<OnPublish> {
        self.take(envelope, |trouble| match trouble {
            Trouble::Publish(fault) => Some(fault),
            Trouble::Acknowledge(_) => None,
        })
    }

    /// What goes wrong with a message that is acknowledged.
    pub(super) fn of_ack(&self, envelope: &Envelope) -> Option<OnAck> {
        self.take(envelope, |trouble| match trouble {
            Trouble::Acknowledge(fault) => Some(fault),
            Trouble::Publish(_) => None,
        })
    }

    fn take<T>(&self, envelope: &Envelope, kind: impl Fn(Trouble) -> Option<T>) -> Option<T> {
        // A copy for another attempt is still the message that it was.
        let key = envelope.headers.text(header::ROUTING_KEY).unwrap_or(&envelope.routing_key);
        let mut planned = lock(&self.planned);
        let mut meant = planned.iter_mut().filter(|planned| {
            planned.left > 0 && planned.key.as_ref().is_none_or(|wanted| wanted.matches(key))
        });
        let (fault, planned) = meant.find_map(|planned| Some((kind(planned.trouble)?, planned)))?;
        planned.left -= 1;
        Some(fault)
    }
}

/// Trouble between the app and its broker, from [`TestBus::duplicate_next`](crate::testing::TestBus::duplicate_next) and its
/// kin. It is for the next message, unless [`of`](Self::of) says for which, and [`times`](Self::times) for how many.
pub struct BrokerFault {
    link: Arc<Link>,
    number: usize,
}

impl BrokerFault {
    pub(super) fn new(link: Arc<Link>, number: usize) -> Self {
        Self { link, number }
    }

    /// For the next message whose routing key matches this binding key, as it was first published.
    ///
    /// # Panics
    /// When that is no binding key.
    pub fn of(self, key: &str) -> Self {
        let parsed = match BindingKey::parse(key) {
            Ok(parsed) => parsed,
            Err(error) => panic!("`{key}` is no binding key: {error}"),
        };
        self.change(|planned| planned.key = Some(parsed));
        self
    }

    /// For so many messages.
    pub fn times(self, messages: u32) -> Self {
        self.change(|planned| planned.left = messages);
        self
    }

    fn change(&self, change: impl FnOnce(&mut Planned)) {
        if let Some(planned) = lock(&self.link.faults.planned).get_mut(self.number) {
            change(planned);
        }
    }
}

impl fmt::Debug for BrokerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerFault").field("number", &self.number).finish_non_exhaustive()
    }
}
