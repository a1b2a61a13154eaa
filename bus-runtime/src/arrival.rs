//! What a message says about itself when it arrives, as far as it can be believed. Pure.

use std::sync::Arc;
use std::time::SystemTime;

use crate::delivery::Metadata;
use crate::envelope::{Envelope, HeaderValue, Headers, header};
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::policy::RETRIES_MAX;
use crate::settle::REQUEUES_MAX;

/// The most that the headers of a message may take, in bytes: half a frame, so that a copy with its story still fits.
pub(crate) const HEADERS_MAX: usize = 64 << 10;

/// A message that has arrived at a queue of ours.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) metadata: Metadata,
    /// The one handler of a shared queue that it is for.
    pub(crate) member: Option<String>,
    /// The one instance of a controller that it is for.
    pub(crate) instance: Option<String>,
    pub(crate) requeues: u32,
    pub(crate) first_failed_at: Option<SystemTime>,
    /// Of a command: when nobody waits for its reply any more. Whoever sent it says so, not this worker.
    pub(crate) deadline: Option<SystemTime>,
    /// Where its fate is to be told, and its number there: somebody has replayed it and waits.
    pub(crate) awaited: Option<(QueueName, i64)>,
    /// The number that its channel knows it by, where that means something to people.
    pub(crate) delivery_tag: Option<i64>,
}

impl Arrival {
    /// Reads what a message says about itself.
    ///
    /// Our own headers count only on a message that came back to this queue by the default exchange: on a normal route a
    /// publisher could have forged them. Numbers are clamped even then.
    pub(crate) fn of(envelope: Arc<Envelope>, queue: &QueueName, redelivered: bool) -> Self {
        let came_back = envelope.exchange.is_default() && envelope.routing_key == queue.as_str();
        let headers = &envelope.headers;
        let own = |name| if came_back { headers.text(name) } else { None };
        let number = |name, max: u32| {
            let claimed = if came_back { headers.int(name).unwrap_or_default() } else { 0 };
            u32::try_from(claimed.max(0)).map_or(max, |number| number.min(max))
        };
        let exchange = own(header::EXCHANGE).and_then(|name| ExchangeName::new(name).ok());
        let routing_key = own(header::ROUTING_KEY).and_then(|key| RoutingKey::new(key).ok());
        let time = |text| humantime::parse_rfc3339(text).ok();
        Self {
            delivery_tag: None,
            deadline: headers.text(header::DEADLINE).and_then(time),
            member: own(header::MEMBER).map(str::to_owned),
            instance: own(header::INSTANCE).map(str::to_owned),
            requeues: number(header::REQUEUES, REQUEUES_MAX),
            first_failed_at: own(header::FIRST_FAILED_AT).and_then(time),
            awaited: own(header::REPLAY_TO)
                .and_then(|name| QueueName::new(name).ok())
                .zip(headers.int(header::REPLAY)),
            metadata: Metadata {
                exchange: exchange.unwrap_or_else(|| envelope.exchange.clone()),
                routing_key: routing_key.unwrap_or_else(|| envelope.routing_key.clone()),
                attempt: number(header::ATTEMPT, RETRIES_MAX + 1).max(1),
                queue: queue.clone(),
                redelivered,
                envelope,
            },
        }
    }
}

/// What a table of headers takes on the wire, about.
pub(crate) fn size(headers: &Headers) -> usize {
    headers.iter().map(|(name, value)| name.len() + 2 + value_size(value)).sum()
}

fn value_size(value: &HeaderValue) -> usize {
    match value {
        HeaderValue::Text(text) => text.len() + 4,
        HeaderValue::Bytes(bytes) => bytes.len() + 4,
        HeaderValue::List(values) => values.iter().map(|value| value_size(value) + 1).sum(),
        HeaderValue::Table(table) => size(table),
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrive(exchange: &str, key: &str, headers: Headers) -> Arrival {
        let mut envelope =
            Envelope::new(ExchangeName::new(exchange).unwrap(), RoutingKey::new(key).unwrap(), "");
        envelope.headers = headers;
        Arrival::of(Arc::new(envelope), &QueueName::new("app.wiki.react").unwrap(), false)
    }

    fn story() -> Headers {
        [
            (header::ATTEMPT, HeaderValue::Int(3)),
            (header::EXCHANGE, "react".into()),
            (header::ROUTING_KEY, "wiki.saved".into()),
            (header::REQUEUES, HeaderValue::Int(2)),
            (header::INSTANCE, "docs".into()),
        ]
        .into_iter()
        .collect()
    }

    #[test]
    fn a_message_that_came_back_tells_its_story() {
        let arrival = arrive("", "app.wiki.react", story());
        assert_eq!(arrival.metadata.attempt(), 3);
        assert_eq!(arrival.requeues, 2);
        assert_eq!(arrival.instance.as_deref(), Some("docs"));
        assert_eq!(arrival.metadata.exchange().as_str(), "react");
        assert_eq!(arrival.metadata.routing_key().as_str(), "wiki.saved");
    }

    #[test]
    fn a_publisher_cannot_forge_the_story() {
        let arrival = arrive("react", "wiki.forged", story());
        assert_eq!(arrival.metadata.attempt(), 1);
        assert_eq!(arrival.requeues, 0);
        assert_eq!(arrival.instance, None);
        assert_eq!(arrival.metadata.routing_key().as_str(), "wiki.forged");
    }

    #[test]
    fn attempts_from_outside_are_clamped() {
        for (claimed, wanted) in [(-1, 1), (0, 1), (7, 7), (i64::MAX, RETRIES_MAX + 1)] {
            let headers = [(header::ATTEMPT, HeaderValue::Int(claimed))].into_iter().collect();
            assert_eq!(arrive("", "app.wiki.react", headers).metadata.attempt(), wanted, "{claimed}");
        }
        let text = [(header::ATTEMPT, HeaderValue::from("many"))].into_iter().collect();
        assert_eq!(arrive("", "app.wiki.react", text).metadata.attempt(), 1);
    }
}
