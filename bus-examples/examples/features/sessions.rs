//! A session: handlers for one piece of work, which hear of its messages alone and end with it.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("import.ended", terminal)]
struct Ended(u32);

#[react("import.{rows}.asked")]
async fn import(rows: u32, bus: Publisher) -> Result<(), bus_runtime::Error> {
    bus.publish(&Ended(rows)).await
}

#[cfg(test)]
#[tokio::test(start_paused = true)]
async fn a_session_hears_of_its_own_import() {
    let (bus, (sender, mut rows)) = (TestBus::start(crate::app()).await, tokio::sync::mpsc::channel(9));
    let session = bus.bus().session("import-7").await.expect("it is open");
    let hear = move |ended: Ended| std::future::ready(sender.try_send(ended.0).map_err(BoxError::from));
    session.on(hear).await.expect("it listens");
    bus.react("import.9.asked", &()).await;
    session.react("import.3.asked", &()).await.expect("it is published");
    bus.settled().await;
    session.end().await;
    assert_eq!((rows.recv().await, rows.recv().await), (Some(3), None));
}
