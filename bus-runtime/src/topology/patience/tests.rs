//! How long the last message of a prefetch waits, and what is said about it.

use super::*;
use crate::registration::{BatchOptions, HandlerId, HandlerOptions, HandlerRegistration, Timeout};
use crate::topology::plan::{PlanSettings, plan};

const LIMIT: Duration = Duration::from_secs(60);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn registration(batch: Option<BatchOptions>) -> HandlerRegistration {
    let id = HandlerId { module: "app", name: "count" };
    match batch {
        None => HandlerRegistration::react(id, &["a"], |_| Box::pin(async { Ok(crate::outcome::ack()) })),
        Some(_) => HandlerRegistration::react_in_batches(
            id,
            &["a"],
            |_| Ok(Vec::new()),
            |_| unreachable!("nothing is called here"),
        ),
    }
}

/// What is said about a handler with this timeout and prefetch, of which one call runs at a time.
fn said(timeout: Duration, prefetch: u16, batch: Option<BatchOptions>) -> Option<String> {
    let options = HandlerOptions {
        timeout: Some(Timeout::After(timeout)),
        prefetch: Some(prefetch),
        concurrency: Some(1),
        batch,
        ..HandlerOptions::default()
    };
    let plan = plan(&[registration(batch).with_options(options)], &PlanSettings::default()).unwrap();
    match patience(&plan.queues[0], LIMIT) {
        Patience::Enough => None,
        Patience::Strained(text) => Some(text),
        Patience::Exceeded(error) => Some(format!("{}: {error}", error.kind().code())),
    }
}

fn batch(size: u16, wait: Duration) -> Option<BatchOptions> {
    Some(BatchOptions { size, wait: Some(wait) })
}

#[test]
fn the_last_of_a_prefetch_waits_for_all_before_it() {
    assert_eq!(said(seconds(20), 3, None), None);
    let text = said(seconds(20), 4, None).unwrap();
    assert!(
        text.starts_with("app::count may keep a message for 80s (timeout 20s, prefetch 4, concurrency 1):"),
        "{text}"
    );
    let text = said(seconds(61), 1, None).unwrap();
    assert!(text.starts_with("BUS0010: app::count may take 61s, and RabbitMQ"), "{text}");
}

/// A call takes a whole batch, and its first message waits for the others before it.
#[test]
fn a_batch_is_handled_at_once_and_waits_for_itself_to_fill() {
    assert_eq!(said(seconds(20), 30, batch(10, seconds(0))), None);
    let text = said(seconds(20), 30, batch(10, seconds(1))).unwrap();
    assert!(
        text.starts_with(
            "app::count may keep a message for 61s (timeout 20s, prefetch 30, concurrency 1, batches of 10 that wait 1s):"
        ),
        "{text}"
    );
    let text = said(seconds(20), 10, batch(10, seconds(41))).unwrap();
    assert!(
        text.starts_with("BUS0010: app::count may take 61s, 41s of it for a batch to fill, and"),
        "{text}"
    );
}
