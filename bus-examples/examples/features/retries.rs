//! A handler that fails is called again, after growing pauses.

use bus_runtime::Attempt;
use bus_runtime::prelude::*;

#[react("flaky.#", retry(max = 4, initial = "1s", factor = 2.0, jitter = 0.0))]
async fn third_time_lucky(attempt: Attempt) -> Result<(), String> {
    if attempt.0 < 3 { Err(format!("attempt {attempt} failed")) } else { Ok(()) }
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn the_pauses_are_one_and_two_seconds(bus: TestBus) {
    bus.react("flaky.x", &()).await;
    bus.settled().await;
    bus.handler(third_time_lucky).called_once();
    bus.advance(Duration::from_secs(1)).await;
    bus.handler(third_time_lucky).called(2);
    bus.advance(Duration::from_secs(2)).await;
    bus.handler(third_time_lucky).called(3);
    bus.dead_letters().none();
}
