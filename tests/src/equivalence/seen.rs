//! What a program shows on a broker, without what may differ.

use bus_runtime::topology::diff::Difference;
use bus_runtime::transport::{Confirmation, Deletion, Incoming, QueueState};
use bus_runtime::{Envelope, Error, ErrorKind, HeaderValue, Headers, Properties};

/// Where RabbitMQ writes how often a quorum queue has delivered a message.
const DELIVERY_COUNT: &str = "x-delivery-count";

/// Arguments that only one type of queue knows.
const OF_ONE_TYPE: [&str; 2] = ["x-delivery-limit", "x-max-priority"];

/// What one step shows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    Done,
    /// There was nothing to do it with, or nothing came.
    Nothing,
    Refused(Refusal),
    Confirmed(Confirmation),
    Message(Box<SeenMessage>),
    Purged(u64),
    Deleted(Deletion),
    Compared(Option<Vec<Difference>>),
}

impl Seen {
    /// What an answer without content shows.
    pub(super) fn done(answer: Result<(), Error>) -> Self {
        Self::of(answer, |()| Self::Done)
    }

    /// What an error shows.
    pub(super) fn refused(error: &Error) -> Self {
        Self::Refused(Refusal { kind: error.kind(), text: error.to_string() })
    }

    /// What a comparison with a declaration shows.
    pub(super) fn differences(found: Option<Vec<Difference>>, prefix: &str) -> Self {
        let plain = |value: Option<String>| value.map(|value| value.replace(prefix, ""));
        let mut found = found;
        for difference in found.iter_mut().flatten() {
            difference.wanted = plain(difference.wanted.take());
            difference.current = plain(difference.current.take());
        }
        if let Some(found) = &mut found
            && found.iter().any(|difference| difference.argument == "x-queue-type")
        {
            found.retain(|difference| !OF_ONE_TYPE.contains(&&*difference.argument));
        }
        found.iter_mut().for_each(|found| found.sort_by(|a, b| a.argument.cmp(&b.argument)));
        Self::Compared(found)
    }

    /// What an answer shows.
    pub(super) fn of<T>(answer: Result<T, Error>, show: impl FnOnce(T) -> Self) -> Self {
        match answer {
            Ok(answer) => show(answer),
            Err(error) => Self::refused(&error),
        }
    }
}

/// An error: the kind counts, the words are for whoever reads a difference.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    kind: ErrorKind,
    #[expect(dead_code, reason = "it is printed")]
    text: String,
}

impl PartialEq for Refusal {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// What a message shows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SeenMessage {
    pub(super) body: String,
    pub(super) exchange: String,
    pub(super) routing_key: String,
    pub(super) properties: Properties,
    pub(super) headers: Headers,
    pub(super) redelivered: bool,
    pub(super) delivery_count: u32,
}

impl SeenMessage {
    pub(super) fn of(incoming: &Incoming, prefix: &str) -> Box<Self> {
        let Envelope { exchange, routing_key, properties, headers, body } = &*incoming.envelope;
        let mut headers = without_names_and_times(headers, prefix);
        let delivery_count = incoming.delivery_count.unwrap_or(0);
        if headers.int(DELIVERY_COUNT) == Some(delivery_count.into()) {
            headers.remove(DELIVERY_COUNT);
        }
        Box::new(Self {
            body: String::from_utf8_lossy(body).into_owned(),
            exchange: exchange.replace(prefix, ""),
            routing_key: routing_key.replace(prefix, ""),
            properties: properties.clone(),
            headers,
            redelivered: incoming.redelivered,
            delivery_count,
        })
    }
}

/// How many messages and consumers each queue has; `None` for one that does not exist.
pub(super) type Levels = Vec<Option<QueueState>>;

fn without_names_and_times(headers: &Headers, prefix: &str) -> Headers {
    headers
        .iter()
        .filter(|(_, value)| !matches!(value, HeaderValue::Time(_)))
        .map(|(name, value)| (name.to_owned(), plain(value, prefix)))
        .collect()
}

fn plain(value: &HeaderValue, prefix: &str) -> HeaderValue {
    match value {
        HeaderValue::Text(text) => text.replace(prefix, "").into(),
        HeaderValue::List(values) => {
            values.iter().map(|value| plain(value, prefix)).collect::<Vec<_>>().into()
        }
        HeaderValue::Table(table) => without_names_and_times(table, prefix).into(),
        other => other.clone(),
    }
}
