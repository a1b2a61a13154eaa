//! Headers as they come over the wire: what they say is believed within limits, and copies of the message can be made.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::arrival::{self, Arrival};
use crate::copies::{self, Failure};
use crate::dead_letters::Letter;
use crate::envelope::{Envelope, Headers};
use crate::error::Error;
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::outcome::DeadLetterReason;
use crate::policy::RETRIES_MAX;
use crate::settle::REQUEUES_MAX;

/// A table of AMQP.
pub(super) fn headers(data: &[u8]) {
    let Some(headers) = crate::transport::fuzz_table(data) else { return };
    for exchange in ["", "react"] {
        read(exchange, &headers).expect("names that are short enough");
    }
}

#[expect(clippy::panic_in_result_fn, reason = "what is broken panics; an error is a name that is too long")]
fn read(exchange: &str, headers: &Headers) -> Result<(), Error> {
    let queue = QueueName::new("app.wiki")?;
    let mut envelope = Envelope::new(ExchangeName::new(exchange)?, RoutingKey::new("app.wiki")?, "{}");
    envelope.headers = headers.clone();
    let envelope = Arc::new(envelope);
    let arrival = Arrival::of(Arc::clone(&envelope), &queue, false);
    let metadata = &arrival.metadata;
    assert!((1..=RETRIES_MAX + 1).contains(&metadata.attempt()) && arrival.requeues <= REQUEUES_MAX);
    let _told = (metadata.version(), metadata.context(), metadata.published_at(), arrival::size(headers));
    if !exchange.is_empty() {
        // Nobody forges the story of a message on a normal route.
        assert_eq!((metadata.attempt(), arrival.requeues, metadata.exchange().as_str()), (1, 0, exchange));
        assert!(arrival.member.is_none() && arrival.instance.is_none() && arrival.awaited.is_none());
    }
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let failure = Failure {
        handler: "wiki::on_wiki",
        error: "no",
        error_type: "E",
        first_failed_at: arrival.first_failed_at,
        now,
    };
    let dead = QueueName::new("app.wiki.dead")?;
    let retried = copies::retried(metadata, failure, 2, None)?;
    assert_eq!(Arrival::of(Arc::new(retried), &queue, true).metadata.attempt(), 2);
    let requeued = Arrival::of(Arc::new(copies::requeued(metadata, failure, 1)?), &queue, true);
    assert_eq!((requeued.metadata.attempt(), requeued.requeues), (metadata.attempt(), 1));
    let moved = Arrival::of(Arc::new(copies::moved(&arrival, &queue)?), &queue, true);
    assert_eq!(moved.metadata.attempt(), metadata.attempt());
    assert_eq!(moved.metadata.routing_key(), metadata.routing_key());
    let dead_copy = copies::dead(metadata, failure, DeadLetterReason::Decode, &dead, "worker")?;
    for letter in [Letter::of(Arc::new(dead_copy), &dead), Letter::of(envelope, &dead)] {
        assert!(!letter.explain(now).is_empty());
        if let Ok(restored) = letter.restored(Some(&queue)) {
            assert_eq!(Arrival::of(Arc::new(restored), &queue, false).metadata.attempt(), 1);
        }
    }
    Ok(())
}
