//! Sessions on a broker that goes away: the proof is a message that is heard of afterwards, and that no queue is left.

use std::time::Duration;

use bus_runtime::conformance::eventually;
use bus_runtime::prelude::*;
use bus_runtime::{BrokerUrl, Config};
use bus_tests::arena::Calls;
use bus_tests::node::RabbitNode;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Message)]
#[event("lost.session.tick", terminal)]
struct Tick(u64);

#[derive(Debug, Serialize, Deserialize, Message)]
#[command("lost.session.double", reply = u64)]
struct Double(u64);

#[tokio::test]
async fn a_session_comes_back_with_its_bindings() {
    let Some(node) = RabbitNode::try_start().await else { return };
    let mut config = Config::default();
    config.broker_url = Some(BrokerUrl::parse(&node.url()).expect("a URL"));
    let app = || bus_runtime::app().without_handlers().config(config.clone()).start();
    let (here, there) = (app().await.expect("it starts"), app().await.expect("it starts"));
    let calls = Calls::default();
    let session = here.session("job").await.unwrap();
    let heard = calls.clone();
    session
        .on(move |Tick(number): Tick| {
            heard.add(number);
            async {}
        })
        .await
        .unwrap();
    session.on_command(|Double(number): Double| async move { Ok::<_, BoxError>(2 * number) }).await.unwrap();
    let other = there.session("job").await.unwrap();
    for round in 0..2 {
        node.ctl(&["close_all_connections", "for a test"]).await;
        let before = calls.count();
        eventually("the session hears again", async || {
            // What is published while its queue is away is not heard of.
            let _ = other.publish(&Tick(round)).await;
            calls.count() > before
        })
        .await;
        eventually("the session answers again", async || {
            let reply = other.execute(Double(21)).timeout(Duration::from_secs(2)).await;
            reply.is_ok_and(|reply| reply == 42)
        })
        .await;
    }
    drop(other);
    session.end().await;
    let queues = node.ctl(&["list_queues", "name", "--quiet"]).await;
    assert!(!queues.contains("bus.session"), "{queues}");
    there.shutdown().await;
    here.shutdown().await;
}
