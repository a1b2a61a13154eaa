//! Trouble between the app and its broker, and what Bus promises in spite of it.

use std::collections::BTreeSet;

use bus_runtime::prelude::*;
use bus_runtime::{ErrorKind, MemoryStore};
use serde::{Deserialize, Serialize};

use crate::complaint;

#[derive(Debug, PartialEq, Serialize, Deserialize, Message)]
#[event("line.indexed")]
struct Indexed(u32);

#[react("line.page.{page}", retry(max = 2, initial = "1s", factor = 1.0))]
async fn index(page: u32, bus: Publisher) -> Result<(), BoxError> {
    bus.publish(&Indexed(page)).await?;
    Ok(())
}

#[message_handler(Indexed)]
async fn notify(_indexed: Indexed) {}

#[react("line.ordered.{number}", concurrency = 1, prefetch = 64)]
async fn ordered(number: u32) {
    let _ = number;
}

#[react("line.copy", fanout = "each")]
async fn copy() {}

fn with_store() -> bus_runtime::App {
    bus_runtime::app().idempotency(MemoryStore::new())
}

#[bus_runtime::test(handlers("*line::*"))]
async fn h4_a_duplicate_is_delivered_twice_with_one_id(bus: TestBus) {
    bus.duplicate_next();
    bus.react("line.page.1", &()).await;
    bus.settled().await;
    let calls = bus.handler(index).calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].metadata().message_id(), calls[1].metadata().message_id());
    bus.no_failures();
}

#[bus_runtime::test(app = with_store, handlers("*line::*"))]
async fn h4_with_an_idempotency_key_a_duplicate_is_handled_once(bus: TestBus) {
    bus.duplicate_next();
    bus.send(bus.bus().react("line.page.1", &()).idempotency_key("page 1")).await;
    bus.settled().await;
    bus.handler(index).called_once();
    bus.published::<Indexed>().count(1);
}

#[bus_runtime::test(handlers("*line::*"))]
async fn h4_what_the_broker_refuses_is_an_error_of_whoever_publishes(bus: TestBus) {
    bus.nack_next();
    let error = bus.bus().react("line.page.1", &()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Nacked);
    bus.settled().await;
    bus.handler(index).not_called();
}

#[bus_runtime::test(handlers("*line::*"))]
async fn h4_a_handler_whose_message_is_refused_has_failed(bus: TestBus) {
    bus.nack_next().of("line.indexed");
    bus.react("line.page.1", &()).await;
    bus.advance(Duration::from_secs(2)).await;
    bus.handler(index).failed(1);
    bus.handler(index).handled(1);
    bus.handler(notify).called_once();
    bus.no_failures();
}

#[bus_runtime::test(handlers("*line::*"))]
async fn h4_a_copy_for_another_attempt_is_never_lost(bus: TestBus) {
    bus.handler(index).fails_with("not yet").times(1);
    bus.react("line.page.1", &()).await;
    // The copy that waits for the second attempt is refused three times; the original stays until it is taken.
    bus.nack_next().of("line.page.*").times(3);
    bus.settled().await;
    bus.advance(Duration::from_secs(2)).await;
    bus.handler(index).called(2);
    bus.handler(index).handled(1);
    bus.no_failures();
}

#[bus_runtime::test(handlers("*line::*"))]
async fn h4_a_lost_confirm_repeats_with_the_same_id(bus: TestBus) {
    bus.lose_next_confirm().of("line.indexed");
    bus.react("line.page.1", &()).await;
    bus.settled().await;
    // No attempt is counted: nobody knows whether it has arrived.
    let attempts: Vec<_> =
        bus.handler(index).calls().iter().map(bus_runtime::testing::Call::attempt).collect();
    assert_eq!(attempts, [1, 1]);
    let ids: BTreeSet<_> = bus
        .handler(notify)
        .calls()
        .iter()
        .map(|call| call.metadata().message_id().map(str::to_owned))
        .collect();
    bus.handler(notify).called(2);
    assert_eq!(ids.len(), 1, "whoever gets it twice can tell");
    bus.no_failures();
}

#[bus_runtime::test(handlers("*line::*"))]
async fn h4_a_crash_before_the_ack_is_handled_again(bus: TestBus) {
    bus.crash_before_ack();
    bus.react("line.page.1", &()).await;
    bus.settled().await;
    let calls = bus.handler(index).calls();
    let seen: Vec<_> = calls.iter().map(|call| (call.attempt(), call.metadata().redelivered())).collect();
    assert_eq!(seen, [(1, false), (1, true)], "at least once, and it is no attempt");
    bus.no_failures();
}

#[bus_runtime::test(app = with_store, handlers("*line::*"))]
async fn h4_with_an_idempotency_key_a_crash_is_handled_once(bus: TestBus) {
    bus.crash_before_ack().of("line.page.*");
    bus.send(bus.bus().react("line.page.1", &()).idempotency_key("page 1")).await;
    bus.settled().await;
    bus.handler(index).called_once();
    bus.handler(notify).called_once();
}

#[bus_runtime::test(handlers("*line::*"))]
async fn h4_a_late_redelivery_is_a_second_call(bus: TestBus) {
    bus.redeliver_late(Duration::from_secs(20)).of("line.page.1");
    bus.react("line.page.1", &()).await;
    bus.settled().await;
    let times: Vec<_> = bus.handler(index).calls().iter().map(|call| call.at().as_secs()).collect();
    assert_eq!(times, [0, 20]);
    bus.no_failures();
}

#[bus_runtime::test(handlers("*line::*"))]
async fn h4_a_lost_connection_loses_nothing(bus: TestBus) {
    bus.handler(index).slow(Duration::from_secs(3)).times(4);
    for page in 0..4 {
        bus.react(&format!("line.page.{page}"), &()).await;
    }
    let dropped = {
        let bus = bus.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            bus.drop_connection();
        }
    };
    tokio::join!(bus.settled(), dropped);
    bus.react("line.page.9", &()).await;
    bus.settled().await;
    let handled: BTreeSet<_> =
        bus.published::<Indexed>().all().into_iter().map(|Indexed(page)| page).collect();
    assert_eq!(handled, BTreeSet::from([0, 1, 2, 3, 9]));
    bus.no_failures();
}

#[bus_runtime::test(handlers("*line::*"))]
async fn h4_a_queue_of_one_connection_comes_back_with_another(bus: TestBus) {
    bus.drop_connection();
    bus.react("line.copy", &()).await;
    bus.settled().await;
    bus.handler(copy).called_once();
}

/// The order in which the messages of one run were handled.
async fn order(seed: Option<u64>) -> Vec<String> {
    let bus = TestBus::start(bus_runtime::app().handlers(["*line::*"])).await;
    if let Some(seed) = seed {
        bus.reorder(seed);
    }
    for number in 0..20 {
        bus.react(&format!("line.ordered.{number:02}"), &()).await;
    }
    bus.settled().await;
    bus.handler(ordered).handled(20);
    bus.handler(ordered).calls().iter().map(|call| call.routing_key().to_string()).collect()
}

#[bus_runtime::test(handlers("*line::*"))]
async fn h4_another_order_is_one_of_its_seed(bus: TestBus) {
    let kept = order(None).await;
    assert!(kept.is_sorted());
    let (one, again, other) = (order(Some(1)).await, order(Some(1)).await, order(Some(2)).await);
    assert_eq!(one, again);
    assert!(one != kept && one != other);
    assert_eq!(one.iter().collect::<BTreeSet<_>>(), kept.iter().collect());
    bus.handler(ordered).not_called();
}

#[bus_runtime::test(handlers("*line::*"))]
async fn h4_a_fault_is_for_the_message_that_it_names(bus: TestBus) {
    bus.nack_next().of("line.page.2");
    bus.react("line.page.1", &()).await;
    let refused = tokio::spawn({
        let bus = bus.clone();
        async move { bus.react("line.page.2", &()).await }
    });
    let told = complaint(refused.await.unwrap_err().into_panic().as_ref());
    assert!(told.starts_with("can't publish: ") && told.contains("the broker refuses it"), "{told}");
}
