//! The copies of a message that a settlement publishes: for the next attempt, and for the dead letters. Pure.

use std::time::{Duration, SystemTime};

use crate::arrival::Arrival;
use crate::delivery::Metadata;
use crate::envelope::{Envelope, Headers, header};
use crate::error::Error;
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::outcome::DeadLetterReason;

/// How much of an error's text goes into a header, in bytes: all headers together must fit into one frame of 128 KiB.
const ERROR_TEXT_MAX: usize = 4096;
/// How much of a type's name goes into a header, in bytes.
const ERROR_TYPE_MAX: usize = 256;

/// What is written into every copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure<'a> {
    pub(crate) handler: &'a str,
    pub(crate) error: &'a str,
    pub(crate) error_type: &'a str,
    pub(crate) first_failed_at: Option<SystemTime>,
    pub(crate) now: SystemTime,
}

/// The copy that a handler gets as its next attempt. It goes to the handler's queue alone, by way of the exchange that holds
/// it for the delay, or at once by the default exchange.
pub(crate) fn retried(
    metadata: &Metadata,
    failure: Failure<'_>,
    attempt: u32,
    delay_exchange: Option<String>,
) -> Result<Envelope, Error> {
    let mut copy = copy(metadata, failure)?;
    copy.headers.set(header::ATTEMPT, attempt);
    if let Some(exchange) = delay_exchange {
        copy.exchange = ExchangeName::new(exchange)?;
    }
    Ok(copy)
}

/// The copy that goes to the end of the queue.
pub(crate) fn requeued(metadata: &Metadata, failure: Failure<'_>, requeues: u32) -> Result<Envelope, Error> {
    let mut copy = copy(metadata, failure)?;
    copy.headers.set(header::ATTEMPT, metadata.attempt());
    copy.headers.set(header::REQUEUES, requeues);
    Ok(copy)
}

/// The copy that goes to the dead letters.
pub(crate) fn dead(
    metadata: &Metadata,
    failure: Failure<'_>,
    reason: DeadLetterReason,
    dead: &QueueName,
    worker: &str,
) -> Result<Envelope, Error> {
    let mut copy = copy(metadata, failure)?;
    copy.routing_key = RoutingKey::new(dead.as_str())?;
    copy.headers.set(header::ATTEMPT, metadata.attempt());
    copy.headers.set(header::QUEUE, metadata.queue().to_string());
    copy.headers.set(header::REASON, reason.as_str());
    copy.headers.set(header::WORKER, worker.to_owned());
    Ok(copy)
}

/// The same message in another queue, neither an attempt nor a failure: what is known of it goes along.
pub(crate) fn moved(arrival: &Arrival, to: &QueueName) -> Result<Envelope, Error> {
    let metadata = &arrival.metadata;
    let mut copy = readdressed(&metadata.envelope, to)?;
    copy.headers.set(header::EXCHANGE, metadata.exchange().to_string());
    copy.headers.set(header::ROUTING_KEY, metadata.routing_key().to_string());
    copy.headers.set(header::ATTEMPT, metadata.attempt());
    copy.headers.set(header::REQUEUES, arrival.requeues);
    // Names a handler by the path that it had.
    copy.headers.remove(header::MEMBER);
    if arrival.instance.is_none() {
        copy.headers.remove(header::INSTANCE);
    }
    if arrival.first_failed_at.is_none() {
        copy.headers.remove(header::FIRST_FAILED_AT);
    }
    Ok(copy)
}

/// The message as it is, in a queue of this name.
pub(crate) fn readdressed(envelope: &Envelope, to: &QueueName) -> Result<Envelope, Error> {
    let mut copy = envelope.clone();
    copy.exchange = ExchangeName::default_exchange();
    copy.routing_key = RoutingKey::new(to.as_str())?;
    // The broker would act on these again: refuse the foreign user, send it to more queues.
    copy.properties.user_id = None;
    copy.headers.remove("CC");
    copy.headers.remove("BCC");
    forget_deaths(&mut copy.headers);
    Ok(copy)
}

/// The message as it was published, addressed to its queue, with the story of its failure.
fn copy(metadata: &Metadata, failure: Failure<'_>) -> Result<Envelope, Error> {
    let Failure { handler, error, error_type, first_failed_at, now } = failure;
    let mut copy = readdressed(&metadata.envelope, metadata.queue())?;
    // The broker would act on it again, and expire the copy while it waits.
    copy.properties.expiration = None;
    // A publisher may have forged them; whoever publishes the copy says whom it is for.
    copy.headers.remove(header::MEMBER);
    copy.headers.remove(header::INSTANCE);
    copy.headers.set(header::EXCHANGE, metadata.exchange().to_string());
    copy.headers.set(header::ROUTING_KEY, metadata.routing_key().to_string());
    copy.headers.set(header::HANDLER, handler.to_owned());
    copy.headers.set(header::ERROR, cut(error, ERROR_TEXT_MAX));
    copy.headers.set(header::ERROR_TYPE, cut(error_type, ERROR_TYPE_MAX));
    copy.headers.set(header::FIRST_FAILED_AT, rfc3339(first_failed_at.unwrap_or(now)));
    copy.headers.set(header::LAST_FAILED_AT, rfc3339(now));
    Ok(copy)
}

/// Removes what the broker wrote while the message waited: it says nothing about the message itself.
pub(crate) fn forget_deaths(headers: &mut Headers) {
    headers.retain(|name, _| {
        name != "x-death"
            && name != "x-delivery-count"
            && !name.starts_with("x-first-death-")
            && !name.starts_with("x-last-death-")
    });
}

/// Removes what workers wrote about attempts and failures, so that the message is as new.
pub(crate) fn forget_story(headers: &mut Headers) {
    const STORY: [&str; 17] = [
        header::ATTEMPT,
        header::REQUEUES,
        header::REASON,
        header::ERROR,
        header::ERROR_TYPE,
        header::HANDLER,
        header::QUEUE,
        header::WORKER,
        header::MEMBER,
        header::INSTANCE,
        header::FIRST_FAILED_AT,
        header::LAST_FAILED_AT,
        header::EXCHANGE,
        header::ROUTING_KEY,
        header::REPLAY,
        header::REPLAY_TO,
        header::FATE,
    ];
    headers.retain(|name, _| !STORY.contains(&name) && name != "CC" && name != "BCC");
}

fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// The text, or as much of it as fits, with `…` for the rest.
fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let end = (0..=max - '…'.len_utf8()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}…", &text[..end])
}

/// How long ago a message failed first.
pub(crate) fn since(first_failed_at: Option<SystemTime>, now: SystemTime) -> Duration {
    first_failed_at.and_then(|first| now.duration_since(first).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_error_is_cut_at_a_character() {
        assert_eq!(cut("short", 10), "short");
        assert_eq!(cut("äöüäöü", 8), "äö…");
        assert!(cut(&"ä".repeat(9_000), ERROR_TEXT_MAX).len() <= ERROR_TEXT_MAX);
    }
}
