use bus_runtime::prelude::*;
use forms as _; // links its handlers

#[bus_runtime::test]
async fn save_takes_it(bus: TestBus) {
    bus.publish_raw("react", "page.home.saved", r#"{"by":"ann","text":"a \"quoted\" word"}"#).await;
    bus.advance(Duration::from_secs(600)).await;
    bus.dead_letters().none();
}
