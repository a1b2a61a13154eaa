//! One dead letter: what it was, and what happened to it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::fingerprint;
use crate::copies;
use crate::envelope::{Envelope, HeaderValue, Headers, header};
use crate::error::Error;
use crate::expression::{Field, Subject, Value};
use crate::names::{ExchangeName, QueueName, RoutingKey};

/// Behind the name of a queue: where its dead letters are.
const DEAD: &str = ".dead";
/// Where a quorum queue writes how often it has delivered a message.
const DELIVERY_COUNT: &str = "x-delivery-count";
/// How many characters of the hash make an id: enough for a few million letters, and short enough to type.
const ID_CHARS: usize = 12;

/// Who put a message with the dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undertaker {
    /// A worker, which wrote down why.
    Worker,
    /// The broker, which says little: it was rejected, has expired, was one too many, or was delivered too often.
    Broker,
    /// Somebody who left no word about it.
    Unknown,
}

/// One dead letter.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Letter {
    /// Twelve characters that are the same whenever this letter is looked at.
    pub id: String,
    /// The queue that it lies in.
    pub dead_queue: QueueName,
    /// The queue whose message it was.
    pub queue: String,
    /// The exchange that it was first published to.
    pub exchange: String,
    /// The routing key that it was first published with.
    pub routing_key: String,
    /// Who put it here.
    pub by: Undertaker,
    /// Why, in one word: a [`DeadLetterReason`](crate::DeadLetterReason), or what the broker says: `rejected`, `expired`,
    /// `maxlen`, `delivery_limit`.
    pub reason: String,
    /// The text of the last error, with its sources.
    pub error: Option<String>,
    /// The Rust type of the last error; `panic` and `timeout` for those.
    pub error_type: Option<String>,
    /// The handler that failed.
    pub handler: Option<String>,
    /// The one handler of a shared queue that it is for.
    pub member: Option<String>,
    /// The one instance of a controller that it is for.
    pub instance: Option<String>,
    /// The number of its last attempt.
    pub attempts: Option<u32>,
    /// When the first attempt failed.
    pub first_failed_at: Option<SystemTime>,
    /// When the last attempt failed, or the broker moved it.
    pub last_failed_at: Option<SystemTime>,
    /// The worker that gave it up.
    pub worker: Option<String>,
    /// How often it was replayed before.
    pub replays: u32,
    /// The message as it lies in the queue.
    pub envelope: Arc<Envelope>,
}

impl Letter {
    /// The fields that expressions know.
    pub const FIELDS: [Field; 20] = [
        Field::text("id"),
        Field::text("queue"),
        Field::text("handler"),
        Field::text("reason"),
        Field::text("by"),
        Field::text("error"),
        Field::text("error_type"),
        Field::text("type"),
        Field::text("key"),
        Field::text("exchange"),
        Field::text("group"),
        Field::text("worker"),
        Field::text("member"),
        Field::text("instance"),
        Field::text("body"),
        Field::number("attempts"),
        Field::number("replays"),
        Field::number("size"),
        Field::duration("age"),
        Field::text("header."),
    ];

    /// Reads a message that lies in this queue.
    #[must_use]
    pub fn of(mut envelope: Arc<Envelope>, dead_queue: &QueueName) -> Self {
        // The broker counts how often this queue was looked at; that is no part of the message.
        if envelope.headers.get(DELIVERY_COUNT).is_some() {
            Arc::make_mut(&mut envelope).headers.remove(DELIVERY_COUNT);
        }
        let mut letter = match Death::of(&envelope.headers) {
            Some(death) => Self::of_broker(&envelope, dead_queue, death),
            None => Self::of_worker(&envelope, dead_queue),
        };
        letter.id = letter.fresh_id();
        letter
    }

    /// A letter that a worker wrote. Its copy has no `x-death`, so what it says about itself is not a publisher's.
    fn of_worker(envelope: &Arc<Envelope>, dead_queue: &QueueName) -> Self {
        let text = |name| envelope.headers.text(name).map(str::to_owned);
        let reason = text(header::REASON);
        Self {
            queue: text(header::QUEUE).unwrap_or_else(|| owner(dead_queue)),
            exchange: text(header::EXCHANGE).unwrap_or_else(|| envelope.exchange.to_string()),
            routing_key: text(header::ROUTING_KEY).unwrap_or_else(|| envelope.routing_key.to_string()),
            by: if reason.is_some() { Undertaker::Worker } else { Undertaker::Unknown },
            reason: reason.unwrap_or_else(|| "unknown".to_owned()),
            worker: text(header::WORKER),
            ..Self::with_story(envelope, dead_queue)
        }
    }

    /// A letter that the broker moved. Its story is believed when it had been at this queue before: see `arrival.rs`.
    fn of_broker(envelope: &Arc<Envelope>, dead_queue: &QueueName, death: Death) -> Self {
        let Death { reason, queue, exchange, routing_key, time } = death;
        let queue = queue.unwrap_or_else(|| owner(dead_queue));
        let came_back = exchange.is_empty() && routing_key == queue;
        let told = if came_back {
            Self::with_story(envelope, dead_queue)
        } else {
            Self::without_story(envelope, dead_queue)
        };
        let original = |name| envelope.headers.text(name).filter(|_| came_back).map(str::to_owned);
        Self {
            queue,
            exchange: original(header::EXCHANGE).unwrap_or(exchange),
            routing_key: original(header::ROUTING_KEY).unwrap_or(routing_key),
            by: Undertaker::Broker,
            reason,
            last_failed_at: time.or(told.last_failed_at),
            ..told
        }
    }

    fn with_story(envelope: &Arc<Envelope>, dead_queue: &QueueName) -> Self {
        let text = |name| envelope.headers.text(name).map(str::to_owned);
        let time = |name| envelope.headers.text(name).and_then(|time| humantime::parse_rfc3339(time).ok());
        let number = |name| envelope.headers.int(name).and_then(|number| u32::try_from(number).ok());
        Self {
            error: text(header::ERROR),
            error_type: text(header::ERROR_TYPE),
            handler: text(header::HANDLER),
            member: text(header::MEMBER),
            instance: text(header::INSTANCE),
            attempts: number(header::ATTEMPT),
            first_failed_at: time(header::FIRST_FAILED_AT),
            last_failed_at: time(header::LAST_FAILED_AT),
            replays: number(header::REPLAYS).unwrap_or_default(),
            ..Self::without_story(envelope, dead_queue)
        }
    }

    fn without_story(envelope: &Arc<Envelope>, dead_queue: &QueueName) -> Self {
        Self {
            id: String::new(),
            dead_queue: dead_queue.clone(),
            queue: owner(dead_queue),
            exchange: String::new(),
            routing_key: String::new(),
            by: Undertaker::Unknown,
            reason: String::new(),
            error: None,
            error_type: None,
            handler: None,
            member: None,
            instance: None,
            attempts: None,
            first_failed_at: None,
            last_failed_at: None,
            worker: None,
            replays: 0,
            envelope: Arc::clone(envelope),
        }
    }

    /// Made of what does not change while the letter lies here.
    fn fresh_id(&self) -> String {
        let mut bytes = Vec::with_capacity(self.envelope.body.len() + 256);
        let time = self.last_failed_at.map(seconds).unwrap_or_default().to_string();
        let parts = [
            self.dead_queue.as_str(),
            self.message_id().unwrap_or_default(),
            &self.routing_key,
            self.handler.as_deref().unwrap_or_default(),
            self.instance.as_deref().unwrap_or_default(),
            &time,
        ];
        for part in parts {
            bytes.extend_from_slice(part.as_bytes());
            bytes.push(0);
        }
        bytes.extend_from_slice(&self.envelope.body);
        short_hash(&bytes, ID_CHARS)
    }

    /// The id that its publisher gave the message.
    #[must_use]
    pub fn message_id(&self) -> Option<&str> {
        self.envelope.properties.message_id.as_deref()
    }

    /// The topic of the message's type.
    #[must_use]
    pub fn message_type(&self) -> Option<&str> {
        self.envelope.properties.message_type.as_deref()
    }

    /// What letters that failed alike have in common: see [`Group`](super::Group).
    #[must_use]
    pub fn group(&self) -> String {
        let handler = self.handler.as_deref().unwrap_or(&self.queue);
        let what = self.error_type.as_deref().unwrap_or(&self.reason);
        let error = fingerprint::normalised(self.error.as_deref().unwrap_or_default());
        short_hash(format!("{handler}\n{}\n{what}\n{error}", self.reason).as_bytes(), fingerprint::CHARS)
    }

    /// How long ago it came here; by the time of its publishing when nothing else is known.
    #[must_use]
    pub fn age(&self, now: SystemTime) -> Option<Duration> {
        let since = self.last_failed_at.or(self.envelope.properties.timestamp)?;
        Some(now.duration_since(since).unwrap_or_default())
    }

    /// The message as its handler is to get it again: addressed to a queue, with the routing key that it had known to the
    /// handler, its attempts counted from one, and without the story of its failure.
    ///
    /// # Errors
    /// [`InvalidName`](crate::ErrorKind::InvalidName) when the letter names a queue that cannot exist.
    pub(crate) fn restored(&self, to: Option<&QueueName>) -> Result<Envelope, Error> {
        let mut envelope = (*self.envelope).clone();
        let queue = to.map_or(self.queue.as_str(), QueueName::as_str);
        envelope.exchange = ExchangeName::default_exchange();
        envelope.routing_key = RoutingKey::new(queue)?;
        // The broker would act on these again.
        envelope.properties.expiration = None;
        envelope.properties.user_id = None;
        let headers = &mut envelope.headers;
        copies::forget_deaths(headers);
        copies::forget_story(headers);
        headers.set(header::EXCHANGE, self.exchange.clone());
        headers.set(header::ROUTING_KEY, self.routing_key.clone());
        if let Some(member) = &self.member {
            headers.set(header::MEMBER, member.clone());
        }
        if let Some(instance) = &self.instance {
            headers.set(header::INSTANCE, instance.clone());
        }
        headers.set(header::REPLAYS, self.replays.saturating_add(1));
        Ok(envelope)
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The queue that a queue of dead letters belongs to, by its name.
fn owner(dead_queue: &QueueName) -> String {
    dead_queue.strip_suffix(DEAD).unwrap_or(dead_queue).to_owned()
}

/// The first characters of a hash that is the same on every machine.
pub(super) fn short_hash(bytes: &[u8], characters: usize) -> String {
    let mut hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, bytes).simple().to_string();
    hash.truncate(characters);
    hash
}

/// What the broker wrote when it moved the message: the newest entry of `x-death`.
struct Death {
    reason: String,
    queue: Option<String>,
    exchange: String,
    routing_key: String,
    time: Option<SystemTime>,
}

impl Death {
    fn of(headers: &Headers) -> Option<Self> {
        let Some(HeaderValue::List(deaths)) = headers.get("x-death") else { return None };
        let Some(HeaderValue::Table(death)) = deaths.first() else { return None };
        let routing_key = match death.get("routing-keys") {
            Some(HeaderValue::List(keys)) => keys.first().and_then(HeaderValue::as_str).unwrap_or_default(),
            _ => "",
        };
        let time = match death.get("time") {
            Some(HeaderValue::Time(time)) => Some(*time),
            _ => None,
        };
        Some(Self {
            reason: death.text("reason").unwrap_or("unknown").to_owned(),
            queue: death.text("queue").map(str::to_owned),
            exchange: death.text("exchange").unwrap_or_default().to_owned(),
            routing_key: routing_key.to_owned(),
            time,
        })
    }
}

impl Undertaker {
    /// One word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Broker => "broker",
            Self::Unknown => "unknown",
        }
    }
}

/// A letter at one moment: its age needs the time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) letter: &'a Letter,
    pub(super) now: SystemTime,
}

impl Subject for Seen<'_> {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        let letter = self.letter;
        let text = |text: &'_ str| Some(Value::Text(Cow::Owned(text.to_owned())));
        match name {
            "id" => text(&letter.id),
            "queue" => text(&letter.queue),
            "handler" => text(letter.handler.as_deref()?),
            "reason" => text(&letter.reason),
            "by" => text(letter.by.as_str()),
            "error" => text(letter.error.as_deref()?),
            "error_type" => text(letter.error_type.as_deref()?),
            "type" => text(letter.message_type()?),
            "key" => text(&letter.routing_key),
            "exchange" => text(&letter.exchange),
            "group" => text(&letter.group()),
            "worker" => text(letter.worker.as_deref()?),
            "member" => text(letter.member.as_deref()?),
            "instance" => text(letter.instance.as_deref()?),
            "body" => Some(Value::Text(String::from_utf8_lossy(&letter.envelope.body))),
            "attempts" => letter.attempts.map(|attempts| Value::Number(attempts.into())),
            "replays" => Some(Value::Number(letter.replays.into())),
            "size" => Some(Value::Number(letter.envelope.body.len() as f64)),
            "age" => letter.age(self.now).map(Value::Duration),
            _ => {
                let value = letter.envelope.headers.get(name.strip_prefix("header.")?)?;
                Some(Value::Text(Cow::Owned(value.to_string())))
            }
        }
    }
}

#[cfg(test)]
mod tests;
