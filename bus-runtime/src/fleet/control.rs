//! What an app has to do with its fleet: its station, if there is one, and whether somebody has asked it to end.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use super::station::Station;
use crate::config::Config;
use crate::seam;
use crate::transport::embedded::EmbeddedBroker;

/// What an app has to do with its fleet.
#[derive(Debug)]
pub(crate) struct Control {
    reach: Mutex<Reach>,
    /// Whether somebody has asked the app to drain; who honours it listens.
    drain: watch::Sender<bool>,
    started: Instant,
    host: String,
}

/// Whether the other workers can be reached.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    /// The broker lives in this process, so there are no others.
    Alone,
    /// `BUS_CONTROL` is off.
    Off,
    /// Not yet.
    Opening,
    /// The broker does not let us, and why.
    Refused(
        #[cfg_attr(not(feature = "dashboard"), expect(dead_code, reason = "the dashboard tells it"))] String,
    ),
    /// Yes.
    Open(Arc<Station>),
}

impl Reach {
    /// Before the app has tried.
    pub(crate) fn at_first(embedded: Option<&EmbeddedBroker>, config: &Config) -> Self {
        match embedded {
            Some(_) => Self::Alone,
            None if config.control => Self::Opening,
            None => Self::Off,
        }
    }
}

impl Control {
    pub(crate) fn new(reach: Reach) -> Self {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self {
            reach: Mutex::new(reach),
            drain: watch::Sender::new(false),
            started: seam::now(),
            host: host.trim().to_owned(),
        }
    }

    pub(crate) fn reach(&self) -> Reach {
        self.reach.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn is_now(&self, reach: Reach) {
        *self.reach.lock().unwrap_or_else(PoisonError::into_inner) = reach;
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn uptime_seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Asks the app to drain; false when nobody in it listens.
    pub(super) fn ask_to_drain(&self) -> bool {
        // It fails when nobody listens.
        self.drain.send(true).is_ok()
    }

    pub(super) fn is_asked_to_drain(&self) -> bool {
        *self.drain.borrow()
    }

    /// Tells when somebody has asked the app to drain.
    pub(crate) fn drain(&self) -> watch::Receiver<bool> {
        self.drain.subscribe()
    }
}
