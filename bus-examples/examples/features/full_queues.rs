//! A queue with a bound: the newest stay, the oldest are dead letters. And no more than so many a second.

use bus_runtime::prelude::*;

#[react("gauge.#", max_length = 2, overflow = "drop-oldest", concurrency = 1, prefetch = 1)]
async fn show(_value: Json<u32>) {}

#[react("sms.#", rate_limit = "1/s", concurrency = 1)]
async fn send() {}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn the_newest_values_stay(bus: TestBus) {
    bus.handler(show).slow(Duration::from_secs(9)).times(1);
    for value in 1..=5 {
        bus.react("gauge.heat", &value).await;
        bus.react("sms.one", &value).await;
    }
    bus.advance(Duration::from_secs(10)).await;
    bus.handler(show).called(3);
    bus.handler(send).called(5);
    let dropped: Vec<u32> = bus.dead_letters().all().iter().map(|letter| letter.json()).collect();
    assert_eq!(dropped, [2, 3]);
}
