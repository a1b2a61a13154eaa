//! The messages that are kept: the last ones, and the last ones that failed.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;

use super::passed::{Passed, Word};
use super::rates::Rates;
use super::saved::{self, Saved};
use crate::admin::AdminPort;
use crate::counters::Counters;
use crate::delivery::Metadata;
use crate::outcome::Outcome;
use crate::seam;
use crate::settle::Settlement;
use crate::topology::HandlerEntry;

/// Messages that went well and are kept, and those that failed: as many as a person can look through.
const HANDLED_MAX: usize = 1000;
const FAILED_MAX: usize = 500;
/// What the bodies of each of the two may take.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// Messages that went well and are kept in one second. Nobody can read more, and a worker under load has better things to do.
const HANDLED_A_SECOND: u64 = 100;
/// Messages that a live view may be behind, before it misses some.
const BEHIND_MAX: usize = 256;

/// What has happened lately. It is empty, and stays so, unless there is somewhere to show it.
#[derive(Default)]
pub(crate) struct History(Option<Box<Kept>>);

struct Kept {
    numbers: AtomicU64,
    /// The second, and how many messages were kept in it.
    budget: AtomicU64,
    left_out: AtomicU64,
    handled: Mutex<Ring>,
    failed: Mutex<Ring>,
    live: broadcast::Sender<Arc<Passed>>,
    rates: Mutex<Rates>,
    /// Where the rates outlive the process.
    file: OnceLock<PathBuf>,
}

impl History {
    /// One that keeps what so many handlers do, when an admin port shows it.
    pub(crate) fn for_port(port: Option<AdminPort>, handlers: usize) -> Self {
        if !AdminPort::is_wanted(port) {
            return Self(None);
        }
        Self(Some(Box::new(Kept {
            numbers: AtomicU64::new(1),
            budget: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            handled: Mutex::new(Ring::of(HANDLED_MAX)),
            failed: Mutex::new(Ring::of(FAILED_MAX)),
            live: broadcast::Sender::new(BEHIND_MAX),
            rates: Mutex::new(Rates::of(handlers)),
            file: OnceLock::new(),
        })))
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// A handler has had a message.
    pub(crate) fn note(
        &self,
        handler: &Arc<HandlerEntry>,
        metadata: &Metadata,
        (outcome, settlement): (&Outcome, &Settlement),
        took: Option<Duration>,
        instance: Option<&str>,
    ) {
        let Some(kept) = &self.0 else { return };
        let error = Passed::error_of(outcome, settlement);
        let now = seam::wall_clock();
        if error.is_none() && !kept.has_room(now) {
            kept.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let passed = Arc::new(Passed {
            number: kept.numbers.fetch_add(1, Ordering::Relaxed),
            at: now,
            handler: Arc::clone(handler),
            instance: instance.map(str::to_owned),
            metadata: metadata.clone(),
            word: Word::of(settlement),
            error,
            reason: match settlement {
                Settlement::DeadLetter { reason, .. } => Some(reason.as_str()),
                _ => None,
            },
            again_after: match settlement {
                Settlement::Retry { delay, .. } => Some(*delay),
                _ => None,
            },
            took,
        });
        let ring = if passed.is_failure() { &kept.failed } else { &kept.handled };
        lock(ring).push(Arc::clone(&passed));
        // Nobody may be looking.
        let _ = kept.live.send(passed);
    }

    /// The last messages, the newest first.
    pub(crate) fn messages(&self) -> Vec<Arc<Passed>> {
        let mut all = self.failures();
        if let Some(kept) = &self.0 {
            all.extend(lock(&kept.handled).newest_first());
        }
        all.sort_by_key(|passed| std::cmp::Reverse(passed.number));
        all
    }

    /// The last failures, the newest first.
    pub(crate) fn failures(&self) -> Vec<Arc<Passed>> {
        self.0.as_ref().map(|kept| lock(&kept.failed).newest_first().collect()).unwrap_or_default()
    }

    /// The messages that went well and were not kept, as there were too many in a second.
    pub(crate) fn left_out(&self) -> u64 {
        self.0.as_ref().map_or(0, |kept| kept.left_out.load(Ordering::Relaxed))
    }

    /// What is kept from now on.
    pub(crate) fn live(&self) -> Option<broadcast::Receiver<Arc<Passed>>> {
        self.0.as_ref().map(|kept| kept.live.subscribe())
    }

    /// Takes note of the counters, once a second.
    pub(crate) fn sample(&self, counters: &[Arc<Counters>]) {
        if let Some(kept) = &self.0 {
            lock(&kept.rates).sample(counters);
        }
    }

    /// Goes on with what an earlier process has saved in this directory, and saves there from now on.
    pub(crate) fn keep_in(&self, directory: &Path, app: &str, handlers: &[Arc<HandlerEntry>]) {
        let Some(kept) = &self.0 else { return };
        let path = saved::file(directory, app);
        match Saved::read(&path) {
            Ok(Some(saved)) => {
                let mut rates = lock(&kept.rates);
                for (at, entry) in handlers.iter().enumerate() {
                    rates.restore(at, saved.steps(&entry.name, seam::wall_clock()));
                }
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "what handlers did before can't be read; it begins anew");
            }
        }
        let _ = kept.file.set(path);
    }

    /// Saves what handlers did of late, where that is wanted.
    pub(crate) fn save(&self, handlers: &[Arc<HandlerEntry>]) {
        let Some((kept, path)) = self.0.as_ref().and_then(|kept| Some((kept, kept.file.get()?))) else {
            return;
        };
        let rates = lock(&kept.rates);
        let steps = |(at, _)| rates.last(at, usize::MAX).collect::<Vec<_>>();
        let all: Vec<_> = handlers.iter().enumerate().map(steps).collect();
        drop(rates);
        let named = handlers.iter().map(|entry| entry.name.as_str()).zip(all);
        if let Err(error) = Saved::of(named, seam::wall_clock()).write(path) {
            tracing::warn!(path = %path.display(), %error, "what handlers did of late can't be saved");
        }
    }

    /// What each handler did of late.
    pub(crate) fn rates<T>(&self, read: impl FnOnce(&Rates) -> T) -> Option<T> {
        self.0.as_ref().map(|kept| read(&lock(&kept.rates)))
    }
}

impl Kept {
    /// Whether one more message that went well is kept in this second.
    fn has_room(&self, now: std::time::SystemTime) -> bool {
        const COUNT_BITS: u32 = 16;
        let second = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        let before = self.budget.load(Ordering::Relaxed);
        let count = if before >> COUNT_BITS == second { before & ((1 << COUNT_BITS) - 1) } else { 0 };
        if count >= HANDLED_A_SECOND {
            return false;
        }
        // Two at the same time count as one: it is no exact limit.
        self.budget.store(second << COUNT_BITS | (count + 1), Ordering::Relaxed);
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last messages, within a number and a size.
struct Ring {
    passed: VecDeque<Arc<Passed>>,
    bytes: usize,
    max: usize,
}

impl Ring {
    fn of(max: usize) -> Self {
        Self { passed: VecDeque::new(), bytes: 0, max }
    }

    fn push(&mut self, passed: Arc<Passed>) {
        self.bytes += passed.size();
        self.passed.push_back(passed);
        while self.passed.len() > self.max || self.bytes > BYTES_MAX {
            let Some(oldest) = self.passed.pop_front() else { return };
            self.bytes -= oldest.size();
        }
    }

    fn newest_first(&self) -> impl Iterator<Item = Arc<Passed>> {
        self.passed.iter().rev().cloned()
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").field("is_kept", &self.is_kept()).finish()
    }
}
