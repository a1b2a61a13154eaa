//! Commands after a lost connection: the proof is one that is answered afterwards.

use std::time::Duration;

use bus_runtime::conformance::eventually;
use bus_runtime::prelude::*;
use bus_runtime::transport::ConnectionStatus;
use bus_runtime::{BrokerUrl, Bus, Config, ErrorKind};
use bus_tests::node::RabbitNode;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Message)]
#[command("lost.double", reply = u64)]
struct Double(u64);

#[message_handler(Double)]
async fn double(Double(number): Double) -> Result<u64, BoxError> {
    Ok(2 * number)
}

async fn start(app: bus_runtime::App, node: &RabbitNode) -> Bus {
    let mut config = Config::default();
    config.broker_url = Some(BrokerUrl::parse(&node.url()).expect("a URL"));
    app.config(config).start().await.expect("it starts")
}

#[tokio::test]
async fn commands_survive_a_lost_connection_and_a_restart() {
    let Some(mut node) = RabbitNode::try_start().await else { return };
    let handles = start(bus_runtime::app().handlers(["rabbitmq::commands::double"]), &node).await;
    let asks = start(bus_runtime::app().without_handlers(), &node).await;
    assert_eq!(asks.execute(Double(1)).await.unwrap(), 2);
    for round in 0..2 {
        node.ctl(&["close_all_connections", "for a test"]).await;
        // One that was under way may be lost with its connection, and says so.
        eventually("an answer", async || {
            match asks.execute(Double(3)).timeout(Duration::from_secs(2)).await {
                Ok(reply) => reply == 6,
                Err(error) => {
                    assert!(
                        matches!(error.kind(), ErrorKind::Disconnected | ErrorKind::TimedOut),
                        "{round}: {error}"
                    );
                    false
                }
            }
        })
        .await;
    }
    node.stop().await;
    eventually("the loss to show", async || asks.status() == ConnectionStatus::Disconnected).await;
    let error = asks.execute(Double(4)).timeout(Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
    assert_eq!(handles.execute(Double(4)).await.unwrap(), 8, "in the same process nobody needs the broker");
    node.boot().await;
    for bus in [&asks, &handles] {
        eventually("the connections", async || bus.status() == ConnectionStatus::Connected).await;
    }
    eventually("an answer", async || {
        asks.execute(Double(5)).timeout(Duration::from_secs(2)).await.is_ok_and(|reply| reply == 10)
    })
    .await;
    asks.shutdown().await;
    handles.shutdown().await;
}
