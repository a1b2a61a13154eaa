//! What seeds have found, as tests of their own: sources change, and then a seed is another run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bus_runtime::prelude::*;
use bus_runtime::testing::Simulations;
use bus_runtime::{
    Delivery, FromDelivery, HandlerId, HandlerOptions, HandlerRegistration, Rejection, transport::BoxFuture,
};

/// Puts the first message back, once, when the others fill the queue.
fn put_back(delivery: Delivery) -> BoxFuture<'static, Result<Outcome, Rejection>> {
    Box::pin(async move {
        let calls = State::<Arc<AtomicU32>>::from_delivery(&delivery)?;
        let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(if first { requeue() } else { ack() })
    })
}

/// The copy had no room in the queue, and the queue was not emptied because the original was unacknowledged.
#[test]
fn a_message_that_is_put_back_into_a_full_queue_does_not_block_it() {
    Simulations::of(20).run(|_| async {
        let calls = Arc::new(AtomicU32::new(0));
        let options = HandlerOptions {
            concurrency: Some(1),
            prefetch: Some(1),
            max_length: Some(1),
            ..HandlerOptions::default()
        };
        let id = HandlerId { module: "found", name: "put_back" };
        let handler = HandlerRegistration::react(id, &["full"], put_back).with_options(options);
        let app = bus_runtime::app().register(handler).state(Arc::clone(&calls));
        let bus = TestBus::start(app).await;
        for pause in [0, 100] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            bus.react("full", &pause).await;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(calls.load(Ordering::SeqCst), 3, "the first one twice, and the second one");
        assert_eq!(bus.broker().next_due(), None);
        bus.dead_letters().none();
    });
}
