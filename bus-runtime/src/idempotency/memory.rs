//! The idempotency keys of one process, in memory.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Claim, IdempotencyStore};
use crate::error::BoxError;
use crate::seam;
use crate::transport::BoxFuture;

/// How long a key is remembered after its handler succeeded: longer than a broker or a client tries to deliver something again.
const TTL_DEFAULT: Duration = Duration::from_secs(24 * 60 * 60);
/// How many keys are remembered: with their handlers' names some tens of megabytes.
const CAPACITY_DEFAULT: usize = 100_000;

/// Remembers idempotency keys in this process: 100 000 of them, for a day, and until the process ends.
///
/// When it is full, the key that was handled first is forgotten first. Keys of messages that are being handled are never
/// forgotten; they are no more than the handlers that run.
#[derive(Debug)]
pub struct MemoryStore {
    ttl: Duration,
    capacity: usize,
    keys: Mutex<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    /// Until when it is remembered, and what is.
    states: HashMap<String, State>,
    /// The keys that are done, oldest first, with the end of their time.
    done: VecDeque<(Instant, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    ClaimedUntil(Instant),
    Done,
}

impl MemoryStore {
    /// A store with the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self { ttl: TTL_DEFAULT, capacity: CAPACITY_DEFAULT, keys: Mutex::default() }
    }

    /// How long a key is remembered after its handler succeeded; a day unless set.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// How many keys that are done are remembered; 100 000 unless set.
    #[must_use]
    pub fn capacity(mut self, keys: usize) -> Self {
        self.capacity = keys;
        self
    }

    fn with<T>(&self, change: impl FnOnce(&mut Keys, Instant) -> T) -> T {
        let now = seam::now();
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        while keys.done.front().is_some_and(|(end, _)| *end <= now) {
            keys.forget_first();
        }
        change(&mut keys, now)
    }
}

impl Keys {
    fn forget_first(&mut self) {
        if let Some((_, key)) = self.done.pop_front() {
            self.states.remove(&key);
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl IdempotencyStore for MemoryStore {
    fn claim<'a>(&'a self, key: &'a str, lease: Duration) -> BoxFuture<'a, Result<Claim, BoxError>> {
        let claim = self.with(|keys, now| match keys.states.get(key) {
            Some(State::Done) => Claim::Done,
            Some(State::ClaimedUntil(end)) if *end > now => Claim::Taken,
            Some(State::ClaimedUntil(_)) | None => {
                keys.states.insert(key.to_owned(), State::ClaimedUntil(now + lease));
                Claim::Granted
            }
        });
        Box::pin(std::future::ready(Ok(claim)))
    }

    fn complete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), BoxError>> {
        self.with(|keys, now| {
            if keys.states.insert(key.to_owned(), State::Done) != Some(State::Done) {
                keys.done.push_back((now + self.ttl, key.to_owned()));
            }
            while keys.done.len() > self.capacity {
                keys.forget_first();
            }
        });
        Box::pin(std::future::ready(Ok(())))
    }

    fn release<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), BoxError>> {
        self.with(|keys, _| {
            if keys.states.get(key) != Some(&State::Done) {
                keys.states.remove(key);
            }
        });
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(10);

    async fn claim(store: &MemoryStore, key: &str) -> Claim {
        store.claim(key, LEASE).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_claimed_once_and_done_for_its_time() {
        let store = MemoryStore::new().ttl(Duration::from_secs(60));
        assert_eq!([claim(&store, "a").await, claim(&store, "a").await], [Claim::Granted, Claim::Taken]);
        assert_eq!(claim(&store, "b").await, Claim::Granted);
        store.release("a").await.unwrap();
        assert_eq!(claim(&store, "a").await, Claim::Granted);
        store.complete("a").await.unwrap();
        store.release("a").await.unwrap();
        assert_eq!(claim(&store, "a").await, Claim::Done);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(claim(&store, "a").await, Claim::Granted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_claim_ends_with_its_lease() {
        let store = MemoryStore::new();
        assert_eq!(claim(&store, "a").await, Claim::Granted);
        tokio::time::advance(LEASE).await;
        assert_eq!(claim(&store, "a").await, Claim::Granted);
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_key_is_forgotten_first() {
        let store = MemoryStore::new().capacity(2);
        assert_eq!(claim(&store, "held").await, Claim::Granted);
        for key in ["a", "b", "c", "c"] {
            store.complete(key).await.unwrap();
        }
        let claims = [claim(&store, "b").await, claim(&store, "c").await, claim(&store, "a").await];
        assert_eq!(claims, [Claim::Done, Claim::Done, Claim::Granted]);
        assert_eq!(claim(&store, "held").await, Claim::Taken);
    }
}
