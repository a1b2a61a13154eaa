//! What a dead letter says about its death: the headers `x-death` and `x-first-death-*`, as RabbitMQ writes them.

use super::cc;
use super::dead_letter::Reason;
use crate::envelope::{Envelope, HeaderValue, Headers};
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::seam;

const DEATHS: &str = "x-death";

/// The message as it goes to the dead-letter exchange. It shares the body with the one that died.
pub(super) fn certificate(
    died: &Envelope,
    queue: &QueueName,
    reason: Reason,
    exchange: ExchangeName,
    routing_key: RoutingKey,
) -> Envelope {
    let mut dead = Envelope { exchange, routing_key, ..died.clone() };
    // It would expire again in the next queue.
    dead.properties.expiration = None;
    let mut deaths = match dead.headers.remove(DEATHS) {
        Some(HeaderValue::List(deaths)) => deaths,
        // Somebody made it up.
        Some(_) => Vec::new(),
        None => {
            dead.headers.set("x-first-death-reason", reason.as_str());
            dead.headers.set("x-first-death-queue", queue.to_string());
            dead.headers.set("x-first-death-exchange", died.exchange.to_string());
            Vec::new()
        }
    };
    let same = deaths.iter().position(|death| is_death(death, queue, Some(reason)));
    let death = match same.map(|index| deaths.remove(index)) {
        Some(HeaderValue::Table(mut death)) => {
            death.set("count", death.int("count").unwrap_or(0).saturating_add(1));
            death
        }
        _ => first_of_its_kind(died, queue, reason),
    };
    deaths.insert(0, HeaderValue::Table(death));
    dead.headers.set(DEATHS, deaths);
    dead
}

fn first_of_its_kind(died: &Envelope, queue: &QueueName, reason: Reason) -> Headers {
    let mut death = Headers::default();
    death.set("count", 1_i64);
    death.set("reason", reason.as_str());
    death.set("queue", queue.to_string());
    death.set("time", seam::wall_clock());
    death.set("exchange", died.exchange.to_string());
    let keys = std::iter::once(&*died.routing_key).chain(cc::visible_keys(&died.headers));
    death.set("routing-keys", keys.map(|key| HeaderValue::from(key.to_owned())).collect::<Vec<_>>());
    if let Some(expiration) = died.properties.expiration {
        death.set("original-expiration", expiration.as_millis().to_string());
    }
    death
}

fn is_death(death: &HeaderValue, queue: &str, reason: Option<Reason>) -> bool {
    let HeaderValue::Table(death) = death else { return false };
    death.text("queue") == Some(queue)
        && reason.is_none_or(|reason| death.text("reason") == Some(reason.as_str()))
}

/// Whether a dead letter would come into a queue where it died before, without anybody having rejected it since: it would go
/// round for ever, so it is dropped. A rejection keeps it alive: somebody looked at it, and may cap the rounds.
pub(super) fn is_automatic_cycle(queue: &str, headers: &Headers) -> bool {
    let Some(HeaderValue::List(deaths)) = headers.get(DEATHS) else { return false };
    let Some(before) = deaths.iter().position(|death| is_death(death, queue, None)) else { return false };
    deaths[..=before].iter().all(|death| match death {
        HeaderValue::Table(death) => death.text("reason") != Some(Reason::Rejected.as_str()),
        _ => false,
    })
}
