//! Whose turn it is on a queue with `ordered_by`: messages of one key wait for each other, all others run beside them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, watch};

use super::job::Job;
use crate::arrival::Arrival;
use crate::envelope::HeaderValue;
use crate::extract::BODY_MAX;
use crate::topology::{OrderedBy, QueueEntry};

/// The keys that have messages here now. They are no more than the messages, and those are no more than the prefetch.
type Keys = Arc<Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>>;

/// The lanes of one queue, one for each key that has messages.
#[derive(Debug)]
pub(super) struct Lanes {
    keys: Keys,
    closed: watch::Sender<bool>,
}

/// The place of a message that is being handled; when it is dropped, the next one may begin.
#[derive(Debug)]
pub(super) struct Slot {
    _turn: Option<Turn>,
    _slot: OwnedSemaphorePermit,
    _room: Option<OwnedSemaphorePermit>,
}

impl Slot {
    /// The place of a message that waits for no other.
    pub(super) fn free(slot: OwnedSemaphorePermit) -> Self {
        Self { _turn: None, _slot: slot, _room: None }
    }
}

/// The right of one message to be handled before all others of its key.
#[derive(Debug)]
struct Turn {
    keys: Keys,
    key: String,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.guard = None;
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever waits holds its lane too.
        if keys.get(&self.key).is_some_and(|lane| Arc::strong_count(lane) == 1) {
            keys.remove(&self.key);
        }
    }
}

impl Lanes {
    pub(super) fn new() -> Self {
        Self { keys: Keys::default(), closed: watch::Sender::new(false) }
    }

    /// Lets a message wait for its turn and then for a slot, and runs it. One without a key waits for a slot alone. The turns
    /// are in the order in which the futures are polled first.
    pub(super) fn run(
        &self,
        job: Job,
        slots: &Arc<Semaphore>,
        room: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()> + Send + use<> {
        let key = job.key();
        let (keys, slots) = (Arc::clone(&self.keys), Arc::clone(slots));
        let mut closed = self.closed.subscribe();
        async move {
            let begin = async {
                let turn = match key {
                    Some(key) => Some(wait(keys, key).await),
                    None => None,
                };
                let slot = slots.acquire_owned().await.ok()?;
                Some(Slot { _turn: turn, _slot: slot, _room: Some(room) })
            };
            // What has not begun when the queue is given up stays unsettled: it goes back when the consumer closes, after
            // what has begun of its key has ended, and in the order of the queue.
            let slot = tokio::select! {
                biased;
                _ = closed.wait_for(|closed| *closed) => None,
                slot = begin => slot,
            };
            if let Some(slot) = slot {
                job.run(slot).await;
            }
        }
    }

    /// Lets no message begin any more.
    pub(super) fn close(&self) {
        self.closed.send_replace(true);
    }
}

async fn wait(keys: Keys, key: String) -> Turn {
    let lane = {
        let mut all = keys.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(key.clone()).or_default())
    };
    let guard = lane.lock_owned().await;
    Turn { keys, key, guard: Some(guard) }
}

/// The key of a message; `None` when it has none, and so waits for no other.
pub(super) fn key_of(queue: &QueueEntry, arrival: &Arrival) -> Option<String> {
    let metadata = &arrival.metadata;
    match queue.ordered_by.as_ref()? {
        OrderedBy::Field(names) => field(&metadata.envelope.body, names),
        OrderedBy::Header(name) => match metadata.headers().get(name)? {
            HeaderValue::Text(text) => Some(text.to_string()),
            HeaderValue::Int(number) => Some(number.to_string()),
            HeaderValue::Bool(flag) => Some(flag.to_string()),
            _ => None,
        },
        OrderedBy::Captured(name) => {
            let captured = |key| queue.members.iter().find_map(|member| member.capture(name, key));
            captured(metadata.routing_key()).map(str::to_owned)
        }
    }
}

/// A text, a number or a truth value in a JSON body, by the names on the way to it. The rest of the body is skipped.
fn field(body: &[u8], names: &[String]) -> Option<String> {
    if body.len() > BODY_MAX {
        return None;
    }
    let mut body = serde_json::Deserializer::from_slice(body);
    At(names).deserialize(&mut body).ok().flatten()
}

/// Reads the value at the end of these names.
struct At<'n>(&'n [String]);

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match self.0.split_first() {
                Some((first, rest)) if *first == name => found = map.next_value_seed(At(rest))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.ends(text))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(self.ends(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(self.ends(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(self.ends(number))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(self.ends(flag))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

impl At<'_> {
    fn ends(&self, value: impl fmt::Display) -> Option<String> {
        self.0.is_empty().then(|| value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_field_is_found_wherever_it_stands() {
        let table = [
            (r#"{"order":7,"more":[1,{"order":8}]}"#, "order", Some("7")),
            (r#"{"a":{"b":1},"customer":{"name":"x","id":"c-1"}}"#, "customer.id", Some("c-1")),
            (r#"{"flag":true}"#, "flag", Some("true")),
            (r#"{"rate":1.5}"#, "rate", Some("1.5")),
            (r#"{"caf\u00e9":1}"#, "café", Some("1")),
            (r#"{"order":null}"#, "order", None),
            (r#"{"order":{}}"#, "order", None),
            (r#"{"order":[1]}"#, "order", None),
            (r#"{"order":7}"#, "order.id", None),
            (r#"{"other":7}"#, "order", None),
            ("[7]", "order", None),
            ("not JSON", "order", None),
            ("", "order", None),
        ];
        for (body, name, wanted) in table {
            let names: Vec<_> = name.split('.').map(str::to_owned).collect();
            assert_eq!(field(body.as_bytes(), &names).as_deref(), wanted, "{body}");
        }
    }

    #[tokio::test]
    async fn a_lane_goes_when_nobody_needs_it() {
        let lanes = Lanes::new();
        let first = wait(Arc::clone(&lanes.keys), "a".to_owned()).await;
        let mut second = Box::pin(wait(Arc::clone(&lanes.keys), "a".to_owned()));
        assert!((&mut second).now_or_never().is_none());
        let other = wait(Arc::clone(&lanes.keys), "b".to_owned()).await;
        drop((first, other));
        assert_eq!(lanes.keys.lock().unwrap().len(), 1);
        drop(second.await);
        assert!(lanes.keys.lock().unwrap().is_empty());
    }
}
