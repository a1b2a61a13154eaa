//! Virtual time.

use bus_runtime::prelude::*;

#[react("time.retry", retry(max = 4, initial = "1h", factor = 2.0, max_delay = "1h"))]
async fn retries() -> Result<(), &'static str> {
    Err("never")
}

#[react("time.later")]
async fn later() {}

#[react("time.sleeps", timeout = 60)]
async fn sleeps() {
    tokio::time::sleep(Duration::from_secs(40)).await;
}

#[bus_runtime::test(handlers("*time::*"))]
async fn h7_a_delay_is_due_when_it_is_due(bus: TestBus) {
    bus.send(bus.bus().react("time.later", &()).after(Duration::from_secs(86_400))).await;
    bus.settled().await;
    bus.advance(Duration::from_secs(86_399)).await;
    bus.handler(later).not_called();
    bus.advance(Duration::from_secs(1)).await;
    bus.handler(later).called_once();
}

#[bus_runtime::test(handlers("*time::*"))]
async fn h7_each_thing_happens_at_its_own_time(bus: TestBus) {
    bus.react("time.retry", &()).await;
    bus.advance(Duration::from_secs(86_400)).await;
    let hours: Vec<_> = bus.handler(retries).calls().iter().map(|call| call.at().as_secs() / 3_600).collect();
    assert_eq!(hours, [0, 1, 2, 3, 4]);
    bus.dead_letters().count(1);
}

#[bus_runtime::test(handlers("*time::*"))]
async fn h7_settling_takes_the_time_that_handlers_take(bus: TestBus) {
    let began = tokio::time::Instant::now();
    bus.react("time.sleeps", &()).await;
    bus.settled().await;
    assert_eq!(began.elapsed().as_secs(), 40);
    bus.handler(sleeps).handled(1);
}
