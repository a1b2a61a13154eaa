//! Outcomes: again later, not at all, or back to the end of the queue.

use bus_runtime::Attempt;
use bus_runtime::prelude::*;

#[react("parcel.{state}")]
async fn on_parcel(state: String, attempt: Attempt) -> Outcome {
    match state.as_str() {
        "late" if attempt == Attempt(1) => retry_later(Duration::from_secs(3_600)),
        "lost" => reject("the parcel is lost"),
        _ => ack(),
    }
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn what_is_late_comes_again_in_an_hour(bus: TestBus) {
    bus.react("parcel.late", &()).await;
    bus.react("parcel.lost", &()).await;
    bus.settled().await;
    bus.handler(on_parcel).called(2);
    bus.advance(Duration::from_secs(3_601)).await;
    bus.handler(on_parcel).called(3);
    assert_eq!(bus.dead_letters().one().error(), "the parcel is lost");
}
