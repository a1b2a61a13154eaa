//! Many messages in one call, with an outcome for each.

use bus_runtime::Batch;
use bus_runtime::prelude::*;

#[react("page.viewed", batch(size = 100, wait = "2s"))]
async fn count(views: Batch<Json>) -> Vec<Outcome> {
    views.outcomes(|view, _| if view["page"].is_null() { reject("no page") } else { ack() })
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn views_are_counted_together(bus: TestBus) {
    for page in [Some("home"), None, Some("news")] {
        bus.react("page.viewed", &serde_json::json!({ "page": page })).await;
    }
    bus.advance(Duration::from_secs(2)).await;
    assert_eq!(bus.handler(count).batches(), 1);
    assert_eq!(bus.dead_letters().one().error(), "no page");
}
