//! Where a consumer stands, for those who do not poll it.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::transport::Standing;

/// Where a consumer stands. Clones tell the same.
#[derive(Clone, Debug)]
pub(super) struct Place(Arc<Mutex<Whereabouts>>);

/// A place that ends with its consumer.
#[derive(Debug)]
pub(super) struct WeakPlace(Weak<Mutex<Whereabouts>>);

#[derive(Debug)]
enum Whereabouts {
    On(lapin::Channel),
    /// On the way from one channel to the next, for no longer than that takes.
    Moving,
    Away(String),
}

impl Place {
    pub(super) fn on(channel: lapin::Channel) -> Self {
        Self(Arc::new(Mutex::new(Whereabouts::On(channel))))
    }

    /// The consumer receives on this channel.
    pub(super) fn moves_to(&self, channel: lapin::Channel) {
        self.set(Whereabouts::On(channel));
    }

    /// The consumer goes from one channel to another.
    pub(super) fn moves(&self) {
        self.set(Whereabouts::Moving);
    }

    /// The consumer receives nothing, and why.
    pub(super) fn leaves(&self, why: impl Into<String>) {
        self.set(Whereabouts::Away(why.into()));
    }

    fn set(&self, whereabouts: Whereabouts) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = whereabouts;
    }

    /// The channel on which the consumer believes to receive.
    pub(super) fn channel(&self) -> Option<lapin::Channel> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Whereabouts::On(channel) if channel.status().connected() => Some(channel.clone()),
            Whereabouts::On(_) | Whereabouts::Moving | Whereabouts::Away(_) => None,
        }
    }

    pub(super) fn standing(&self) -> Standing {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Whereabouts::On(channel) if channel.status().connected() => Standing::Receiving,
            Whereabouts::Moving => Standing::Receiving,
            Whereabouts::On(_) => Standing::Away("the connection to RabbitMQ is lost".to_owned()),
            Whereabouts::Away(why) => Standing::Away(why.clone()),
        }
    }

    pub(super) fn downgrade(&self) -> WeakPlace {
        WeakPlace(Arc::downgrade(&self.0))
    }
}

impl WeakPlace {
    pub(super) fn upgrade(&self) -> Option<Place> {
        self.0.upgrade().map(Place)
    }
}
