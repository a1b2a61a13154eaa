//! What has happened on a test's bus, in order: what was published, and every call of a handler.

use std::any::TypeId;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::call::{Call, Ending};
use super::script::{Act, Script};
use crate::delivery::{Delivery, Metadata};
use crate::envelope::Envelope;
use crate::outcome::Outcome;
use crate::seam;
use crate::topology::HandlerEntry;
use crate::transport::Confirmation;
use crate::witness::{Instead, Witness};

/// So many calls while one test waits for the bus to settle are messages that go in a circle: no test makes so many on purpose,
/// and they take a few seconds.
const CALLS_MAX: usize = 50_000;

/// What has happened on a test's bus.
pub(super) struct Journal {
    started: Instant,
    noted: Mutex<Noted>,
    script: Script,
    circle: Notify,
}

#[derive(Default)]
struct Noted {
    entries: Vec<Entry>,
    calls: Vec<Call>,
    /// How many calls there were when the test began to wait.
    waited_from: usize,
}

/// Something that has happened, and when.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) at: Duration,
    pub(super) event: Event,
}

#[derive(Clone)]
pub(super) enum Event {
    Published(Arc<Envelope>, Confirmation),
    /// The call with this number has begun.
    Called(usize),
    /// The call with this number has ended.
    Ended(usize),
    /// The test has done something to the bus, perhaps to this message.
    Done(String, Option<String>),
}

impl Journal {
    pub(super) fn new() -> Self {
        let (noted, script) = (Mutex::default(), Script::default());
        Self { started: seam::now(), noted, script, circle: Notify::new() }
    }

    /// What is to happen instead of handlers.
    pub(super) fn script(&self) -> &Script {
        &self.script
    }

    /// Everything, in order.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.lock().entries.clone()
    }

    /// Every call of a handler, in order.
    pub(super) fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// The calls of one handler, in order.
    pub(super) fn calls_of(&self, handler: TypeId) -> Vec<Call> {
        self.lock().calls.iter().filter(|call| call.identity == handler).cloned().collect()
    }

    /// Every message that the broker has confirmed, copies included.
    pub(super) fn published(&self) -> Vec<Arc<Envelope>> {
        let noted = self.lock();
        let published = noted.entries.iter().filter_map(|entry| match &entry.event {
            Event::Published(envelope, _) => Some(Arc::clone(envelope)),
            Event::Called(_) | Event::Ended(_) | Event::Done(..) => None,
        });
        published.collect()
    }

    /// Notes what the test does to the bus.
    pub(super) fn done(&self, what: impl Into<String>, message_id: Option<&str>) {
        self.add(Event::Done(what.into(), message_id.map(str::to_owned)));
    }

    /// The test waits from now on.
    pub(super) fn waits(&self) {
        let mut noted = self.lock();
        noted.waited_from = noted.calls.len();
    }

    /// Ends when there were too many calls while the test waited.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub(super) async fn goes_in_a_circle(&self) {
        self.circle.notified().await;
    }

    fn add(&self, event: Event) {
        let at = self.time();
        self.lock().entries.push(Entry { at, event });
    }

    /// The time since the bus was started.
    pub(super) fn time(&self) -> Duration {
        seam::now().saturating_duration_since(self.started)
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness for Journal {
    fn published(&self, envelope: &Arc<Envelope>, confirmation: Confirmation) {
        self.add(Event::Published(Arc::clone(envelope), confirmation));
    }

    fn called(&self, entry: &Arc<HandlerEntry>, metadata: &Metadata, instance: Option<&str>) -> usize {
        let at = self.time();
        let mut noted = self.lock();
        let number = noted.calls.len();
        noted.calls.push(Call {
            identity: (entry.identity)(),
            handler: entry.name.clone(),
            metadata: metadata.clone(),
            instance: instance.map(str::to_owned),
            at,
            ended: None,
            on_purpose: false,
        });
        noted.entries.push(Entry { at, event: Event::Called(number) });
        if number - noted.waited_from == CALLS_MAX {
            self.circle.notify_one();
        }
        number
    }

    fn ended(&self, call: usize, outcome: Option<&Outcome>) {
        let at = self.time();
        let mut noted = self.lock();
        if let Some(call) = noted.calls.get_mut(call) {
            call.ended = Some((at, Ending::of(outcome)));
        }
        noted.entries.push(Entry { at, event: Event::Ended(call) });
    }

    fn instead(&self, entry: &Arc<HandlerEntry>, delivery: &Delivery) -> Option<Instead> {
        let Act { instead, fault } = self.script.act((entry.identity)(), delivery)?;
        if let Some(fault) = fault {
            let id = delivery.metadata().message_id();
            let mut noted = self.lock();
            let same = |call: &&mut Call| call.handler == entry.name && call.metadata.message_id() == id;
            if let Some(call) = noted.calls.iter_mut().rev().find(same) {
                call.on_purpose = true;
            }
            drop(noted);
            self.done(format!("{}: the test lets it {fault}", entry.name), id);
        }
        Some(instead)
    }
}
