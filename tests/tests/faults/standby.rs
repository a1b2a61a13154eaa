//! Two workers of a queue with `single_active`: one works, the other takes over when the first has gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bus_runtime::prelude::*;
use bus_tests::balance::Ledger;
use bus_tests::proxy::Proxy;

use crate::nodes::shared;
use crate::rig::{self, until};

/// How many messages this worker has had.
#[derive(Clone, Default)]
struct Had(Arc<AtomicU32>);

impl Had {
    fn one_more(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn count(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

#[audit("standby.#", single_active = true, concurrency = 1)]
async fn alone(id: Json<u64>, had: State<Had>, ledger: State<Ledger>) {
    had.one_more();
    tokio::time::sleep(Duration::from_millis(2)).await;
    ledger.handled(*id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_one_on_standby_takes_over() {
    let Some(node) = shared().await else { return };
    let vhost = rig::vhost(node, "standby").await;
    let (proxy, ledger) = (Proxy::start(node.port()), Ledger::default());
    let start = async |port: u16| {
        let had = Had::default();
        let app = rig::app(&rig::url(port, &vhost), module_path!()).state(ledger.clone());
        (app.state(had.clone()).start().await.unwrap(), had)
    };
    let (active, of_active) = start(proxy.port()).await;
    let (standby, of_standby) = start(node.port()).await;
    let publish = async |ids: std::ops::Range<u64>| {
        for id in ids {
            ledger.attempted(id);
            standby.audit("standby.x", &id).await.unwrap();
            ledger.confirmed(id);
        }
    };
    publish(0..100).await;
    until("the first has had all", || ledger.count_handled() == 100).await;
    assert_eq!((of_active.count(), of_standby.count()), (100, 0), "one at a time");
    publish(100..150).await;
    // It loses its connections, and gets no others for now.
    proxy.shut();
    let lost = Instant::now();
    proxy.reset();
    publish(150..200).await;
    until("the other has the rest", || ledger.count_missing() == 0).await;
    let back = lost.elapsed();
    assert!(of_standby.count() >= 50, "{} and {}", of_active.count(), of_standby.count());
    // The first comes back, and waits in its turn.
    proxy.open();
    until("it is consumed by both", || {
        active
            .consumers()
            .iter()
            .all(|(_, standing)| *standing == bus_runtime::transport::Standing::Receiving)
    })
    .await;
    let before = of_active.count();
    publish(200..210).await;
    until("the last are handled", || ledger.count_missing() == 0).await;
    assert_eq!(of_active.count(), before, "who has taken over keeps the queue");
    active.shutdown().await;
    standby.shutdown().await;
    node.delete_vhost(&vhost).await;
    ledger.balance("active worker of two lost").back_after(back).check();
}
