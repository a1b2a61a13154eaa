//! A broker that refuses: for a while in the middle of it, or from the beginning.

use std::time::{Duration, Instant};

use bus_runtime::ErrorKind;
use bus_runtime::prelude::*;
use bus_runtime::transport::ConnectionStatus;
use bus_tests::node::RabbitNode;
use bus_tests::proxy::Proxy;
use serde_json::json;

use crate::nodes::shared;
use crate::rig::{self, HEARTBEAT_SECS, Rig, until};

/// How long a refusal lasts.
const REFUSED_FOR: Duration = Duration::from_secs(3);

/// A worker that logs in as a user of its own, through a proxy.
async fn rig_of_user(node: &RabbitNode, proxy: &Proxy, name: &str) -> (Rig, String) {
    let vhost = rig::vhost(node, name).await;
    let user = format!("user-{vhost}");
    node.set_password(&user, "right").await;
    node.allow(&user, &vhost, ".*").await;
    let url = format!("amqp://{user}:right@127.0.0.1:{}/{vhost}?heartbeat={HEARTBEAT_SECS}", proxy.port());
    (Rig::start_at(&url, vhost).await, user)
}

/// Attempts to connect since then: never more than two in one second.
fn assert_calm(proxy: &Proxy, since: Instant) {
    let attempts: Vec<_> = proxy.accepted().into_iter().filter(|at| *at >= since).collect();
    let storm = attempts.windows(3).find(|three| three[2] - three[0] < Duration::from_millis(900));
    assert!(storm.is_none(), "{attempts:?}");
    assert!(attempts.len() >= 2, "there are attempts: {attempts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n5_permissions_revoked_and_restored() {
    let Some(node) = shared().await else { return };
    let proxy = Proxy::start(node.port());
    let (rig, user) = rig_of_user(node, &proxy, "permissions").await;
    rig.publish_round().await;
    rig.until_idle(node).await;
    let revoked = Instant::now();
    node.allow(&user, &rig.vhost, "^$").await;
    proxy.reset();
    rig.until_not_ready().await;
    let error = rig.feeder().publish("load.x").await.expect_err("it may not write");
    assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
    tokio::time::sleep(REFUSED_FOR).await;
    assert!(!rig.is_ready(), "it does not receive: {:?}", rig.bus.consumers());
    assert_calm(&proxy, revoked);
    node.allow(&user, &rig.vhost, ".*").await;
    let back = rig.until_back(Instant::now()).await;
    rig.balance(node, "permissions revoked", back).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n5_password_changed_and_restored() {
    let Some(node) = shared().await else { return };
    let proxy = Proxy::start(node.port());
    let (rig, user) = rig_of_user(node, &proxy, "password").await;
    rig.publish_round().await;
    let changed = Instant::now();
    node.set_password(&user, "another").await;
    proxy.reset();
    rig.until_not_ready().await;
    tokio::time::sleep(REFUSED_FOR).await;
    assert_eq!(rig.bus.status(), ConnectionStatus::Disconnected);
    assert_calm(&proxy, changed);
    node.set_password(&user, "right").await;
    let back = rig.until_back(Instant::now()).await;
    rig.balance(node, "password changed", back).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n5_vhost_deleted_and_made_anew() {
    let Some(node) = shared().await else { return };
    let proxy = Proxy::start(node.port());
    let rig = Rig::start(node, proxy.port(), "vhost").await;
    rig.publish_round().await;
    rig.until_idle(node).await;
    let deleted = Instant::now();
    node.delete_vhost(&rig.vhost).await;
    rig.until_not_ready().await;
    tokio::time::sleep(REFUSED_FOR).await;
    assert_eq!(rig.bus.status(), ConnectionStatus::Disconnected);
    assert_calm(&proxy, deleted);
    node.add_vhost(&rig.vhost).await;
    let back = rig.until_back(Instant::now()).await;
    rig.balance(node, "vhost deleted", back).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n6_refusals_at_start_are_fatal() {
    let Some(node) = shared().await else { return };
    let vhost = rig::vhost(node, "fatal").await;
    let start = async |url: String| {
        let app = rig::app(&url, module_path!());
        let started = tokio::time::timeout(Duration::from_secs(10), app.start()).await;
        started.expect("it does not try for ever").expect_err("it is refused")
    };
    let port = node.port();
    let error = start(format!("amqp://guest:wrong@127.0.0.1:{port}/{vhost}")).await;
    assert_eq!((error.kind(), error.kind().exit_code()), (ErrorKind::AccessRefused, 77), "{error}");
    let error = start(format!("amqp://guest:guest@127.0.0.1:{port}/nowhere")).await;
    assert_eq!((error.kind(), error.kind().exit_code()), (ErrorKind::Vhost, 77), "{error}");
    assert!(error.to_string().contains("nowhere"), "{error}");

    let other = json!({ "durable": true, "arguments": { "x-queue-type": "classic" } });
    node.manage("PUT", &format!("queues/{vhost}/taken"), Some(other)).await;
    let error = start(rig::url(port, &vhost)).await;
    assert_eq!((error.kind(), error.kind().exit_code()), (ErrorKind::Mismatch, 78), "{error}");
    let text = error.to_string();
    for part in ["taken", "x-queue-type", "quorum", "classic"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    node.delete_vhost(&vhost).await;
}

#[audit("taken.#", queue = "taken")]
async fn of_a_queue_that_others_have() {}

/// A port where somebody takes connections and never says a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_never_answers() {
    let Some(node) = shared().await else { return };
    let proxy = Proxy::start(node.port());
    let rig = Rig::start(node, proxy.port(), "mute").await;
    rig.publish_round().await;
    // The connections end, and the next ones get no answer.
    proxy.weather(bus_tests::proxy::Weather::BlackHole);
    proxy.cut();
    rig.until_not_ready().await;
    let attempts = proxy.accepted().len();
    until("it tries again", || proxy.accepted().len() > attempts).await;
    proxy.weather(bus_tests::proxy::Weather::Clear);
    let back = rig.until_back(Instant::now()).await;
    rig.balance(node, "no answer", back).await;
}
