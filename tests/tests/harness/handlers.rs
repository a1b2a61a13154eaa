//! Trouble with handlers, and what the bus makes of it.

use std::fmt;

use bus_runtime::HandlerError;
use bus_runtime::prelude::*;
use bus_runtime::testing::Ending;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("trouble.paid", terminal)]
struct Paid;

#[derive(Serialize, Deserialize, Message)]
#[command("trouble.ask", reply = u32)]
struct Ask;

#[react("trouble.pay", timeout = 5, retry(max = 3, initial = "1s", factor = 1.0))]
async fn pay(bus: Publisher) -> Result<(), BoxError> {
    bus.publish(&Paid).await?;
    Ok(())
}

/// Handles other messages of the same queue meanwhile.
#[react("trouble.other", timeout = "none")]
async fn other() {}

#[message_handler(Ask, timeout = 5)]
async fn answer(_ask: Ask) -> Result<u32, BoxError> {
    Ok(42)
}

#[react("trouble.viewed", batch(size = 2, wait = "1s"), retry(max = 1, initial = "1s"))]
async fn count(views: Vec<Json>) {
    assert!(!views.is_empty());
}

#[bus_runtime::test(handlers("*handlers::*"))]
async fn h3_a_failing_handler_is_tried_again_and_publishes_once(bus: TestBus) {
    bus.handler(pay).fails_with("the bank is closed").times(2);
    bus.react("trouble.pay", &()).await;
    bus.advance(Duration::from_secs(10)).await;
    bus.handler(pay).called(3);
    bus.handler(pay).failed(2);
    bus.handler(pay).handled(1);
    bus.published::<Paid>().count(1);
    bus.no_failures();
}

#[bus_runtime::test(handlers("*handlers::*"))]
async fn h3_what_fails_for_ever_is_a_dead_letter(bus: TestBus) {
    let fault = bus.handler(pay).fails_with("the bank is closed");
    bus.react("trouble.pay", &()).await;
    bus.advance(Duration::from_secs(10)).await;
    bus.handler(pay).failed(4);
    assert_eq!(bus.dead_letters_of(pay).one().error(), "the bank is closed");
    fault.end();
    bus.react("trouble.pay", &()).await;
    bus.settled().await;
    bus.handler(pay).handled(1);
}

#[derive(Clone, Debug, HandlerError)]
enum BankError {
    #[dead_letter]
    NoSuchAccount,
}

impl fmt::Display for BankError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for BankError {}

#[bus_runtime::test(handlers("*handlers::*"))]
async fn h3_an_error_decides_as_from_the_handler(bus: TestBus) {
    bus.handler(pay).fails_with(BankError::NoSuchAccount);
    bus.react("trouble.pay", &()).await;
    bus.settled().await;
    bus.handler(pay).called_once();
    assert_eq!(bus.dead_letters().one().reason(), "permanent");
}

#[bus_runtime::test(handlers("*handlers::*"))]
async fn h3_a_panic_is_a_failed_attempt(bus: TestBus) {
    bus.handler(pay).panics().times(1);
    bus.react("trouble.pay", &()).await;
    bus.react("trouble.other", &()).await;
    bus.advance(Duration::from_secs(2)).await;
    bus.handler(pay).panicked(1);
    bus.handler(pay).handled(1);
    bus.handler(other).handled(1);
    bus.no_failures();
}

#[bus_runtime::test(handlers("*handlers::*"))]
async fn h3_what_hangs_is_ended_by_its_timeout(bus: TestBus) {
    bus.handler(pay).hangs().times(1);
    bus.react("trouble.pay", &()).await;
    bus.settled().await;
    bus.handler(pay).timed_out(1);
    bus.advance(Duration::from_secs(2)).await;
    bus.handler(pay).handled(1);
    let calls = bus.handler(pay).calls();
    assert_eq!(calls[1].at(), Duration::from_secs(6), "five seconds of timeout and one of delay");
}

#[bus_runtime::test(handlers("*handlers::*"))]
async fn h3_slow_is_slow(bus: TestBus) {
    bus.handler(pay).slow(Duration::from_secs(4)).times(1);
    bus.handler(pay).slow(Duration::from_secs(6)).times(1);
    bus.react("trouble.pay", &()).await;
    bus.settled().await;
    bus.handler(pay).handled(1);
    bus.react("trouble.pay", &()).await;
    bus.settled().await;
    bus.handler(pay).timed_out(1);
    assert!(matches!(bus.handler(pay).calls()[1].ending(), Some(Ending::TimedOut(_))));
}

#[bus_runtime::test(handlers("*handlers::*"))]
#[should_panic(expected = "the bus does not settle within 3600s")]
async fn h3_what_hangs_for_ever_does_not_settle(bus: TestBus) {
    bus.handler(other).hangs();
    bus.react("trouble.other", &()).await;
    bus.settled().await;
}

#[bus_runtime::test(handlers("*handlers::*"))]
async fn h3_a_failing_command_is_answered_at_once(bus: TestBus) {
    bus.handler(answer).fails_with("no idea").times(1);
    bus.handler(answer).hangs().times(1);
    let error = bus.execute(Ask).await.unwrap_err();
    assert_eq!(error.kind(), bus_runtime::ErrorKind::CommandFailed);
    let error = bus.execute(Ask).await.unwrap_err();
    assert_eq!(error.kind(), bus_runtime::ErrorKind::TimedOut);
    assert_eq!(bus.execute(Ask).await.unwrap(), 42);
}

#[bus_runtime::test(handlers("*handlers::*"))]
async fn h3_one_message_of_a_batch_can_fail(bus: TestBus) {
    bus.handler(count).fails_with("not now").times(1);
    for view in 0..3 {
        bus.react("trouble.viewed", &view).await;
    }
    bus.advance(Duration::from_secs(5)).await;
    bus.handler(count).failed(1);
    bus.handler(count).handled(3);
    bus.no_failures();
}
