//! What publishers see of a broker that is away, full, or cut off before it has confirmed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bus_runtime::conformance::message;
use bus_runtime::prelude::*;
use bus_runtime::transport::{RabbitMq, RabbitMqOptions, Transport};
use bus_runtime::{BrokerUrl, Config, Error, ErrorKind, ExchangeName};
use bus_tests::balance::Ledger;
use bus_tests::proxy::{Proxy, Side};
use futures_util::future::join_all;
use tokio::sync::Semaphore;

use crate::nodes::shared;
use crate::rig::{self, Rig, until};

/// `basic.ack`, which is how a broker confirms.
const CONFIRM: [u8; 4] = [0, 60, 0, 80];

/// How long the impatient publishers of this file wait.
const IMPATIENCE: Duration = Duration::from_millis(700);

mod full {
    use super::*;

    /// Lets the handler go on.
    pub(super) struct Gate {
        pub(super) permits: Arc<Semaphore>,
    }

    #[audit("full.#", max_length = 5, concurrency = 1, prefetch = 1, queue_type = "classic")]
    async fn waits(id: Json<u64>, gate: State<Gate>, ledger: State<Ledger>) {
        gate.permits.acquire().await.unwrap().forget();
        ledger.handled(*id);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn p2_a_nack_is_an_error() {
        let Some(node) = shared().await else { return };
        let vhost = rig::vhost(node, "full").await;
        let (ledger, gate) = (Ledger::default(), Arc::new(Semaphore::new(0)));
        let app = rig::app(&rig::url(node.port(), &vhost), module_path!());
        let bus = app.state(ledger.clone()).state(Gate { permits: gate.clone() }).start().await.unwrap();
        let mut refused = 0;
        for id in 0..20_u64 {
            ledger.attempted(id);
            match bus.audit("full.x", &id).await {
                Ok(()) => ledger.confirmed(id),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Nacked, "{error}");
                    refused += 1;
                }
            }
        }
        assert!(refused >= 10, "the queue holds 5, and the handler has one or two: {refused}");
        gate.add_permits(100);
        until("the others are handled", || ledger.count_missing() == 0).await;
        let balance = ledger.balance("nacked by a full queue").check();
        assert_eq!((balance.never_arrived, balance.duplicates), (refused, 0));
        bus.shutdown().await;
        node.delete_vhost(&vhost).await;
    }
}

/// The broker has the messages, and its confirms are lost with the connection: they are published again, with the same ids.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_confirms_lost() {
    let Some(node) = shared().await else { return };
    let proxy = Proxy::start(node.port());
    let rig = Rig::start(node, proxy.port(), "confirms").await;
    rig.publish_round().await;
    proxy.cut_at(Side::Broker, &CONFIRM);
    let cut = Instant::now();
    let feeder = rig.feeder();
    let published = join_all((0..50).map(|_| feeder.publish("load.x"))).await;
    assert_eq!(published.iter().filter(|result| result.is_err()).count(), 0, "{published:?}");
    assert_eq!(proxy.sprung(), 1);
    let back = rig.until_back(cut).await;
    let balance = rig.balance(node, "confirms lost", back).await;
    assert!(balance.duplicates > 0, "the broker had them before: {balance}");
}

fn impatient(config: &mut Config) {
    config.publish_timeout = IMPATIENCE;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_publishing_goes_on_after_any_number_of_failures() {
    let Some(node) = shared().await else { return };
    let proxy = Proxy::start(node.port());
    let rig = Rig::start_with(node, proxy.port(), "failures", impatient).await;
    rig.publish_round().await;
    proxy.shut();
    proxy.cut();
    rig.until_not_ready().await;
    let feeder = rig.feeder();
    for _ in 0..3 {
        let failures = join_all((0..500).map(|_| feeder.publish("load.x"))).await;
        assert!(failures.iter().all(Result::is_err), "the broker is away");
    }
    proxy.open();
    let back = rig.until_back(Instant::now()).await;
    let balance = rig.balance(node, "1500 failed publishes", back).await;
    assert!(balance.never_arrived >= 1_500, "they were told that it was not published: {balance}");
}

/// More publishes than there is room for, without a broker: each ends in time, with an error that says why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p4_publishing_while_disconnected_is_bounded() {
    let Some(node) = shared().await else { return };
    let proxy = Proxy::start(node.port());
    let vhost = rig::vhost(node, "away").await;
    let url = BrokerUrl::parse(&rig::url(proxy.port(), &vhost)).unwrap();
    let options = RabbitMqOptions { publish_timeout: IMPATIENCE, ..RabbitMqOptions::default() };
    let transport = RabbitMq::connect_with(&url, options).await.unwrap();
    proxy.shut();
    proxy.cut();
    until("it is disconnected", || {
        transport.status() == bus_runtime::transport::ConnectionStatus::Disconnected
    })
    .await;
    let to = ExchangeName::default_exchange();
    let started = Instant::now();
    let publishes = (0..5_000).map(|_| transport.publish(Arc::new(message(&to, "nowhere", "x"))));
    let errors: Vec<Error> =
        join_all(publishes).await.into_iter().map(|result| result.unwrap_err()).collect();
    assert!(started.elapsed() < IMPATIENCE * 5, "{:?}", started.elapsed());
    for error in &errors {
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
        assert!(error.to_string().contains(&format!("127.0.0.1:{}", proxy.port())), "{error}");
    }
    transport.close(Duration::from_secs(1)).await;
    node.delete_vhost(&vhost).await;
}

/// Whoever publishes through the bus gets the same answer: in time, and why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p4_a_bus_says_that_the_broker_is_away() {
    let Some(node) = shared().await else { return };
    let proxy = Proxy::start(node.port());
    let rig = Rig::start_with(node, proxy.port(), "silent", impatient).await;
    rig.publish_round().await;
    proxy.shut();
    proxy.cut();
    rig.until_not_ready().await;
    let started = Instant::now();
    let error = rig.feeder().publish("load.x").await.expect_err("the broker is away");
    assert!(started.elapsed() < IMPATIENCE * 3, "{:?}", started.elapsed());
    assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
    proxy.open();
    let back = rig.until_back(Instant::now()).await;
    rig.balance(node, "published while away", back).await;
}

mod retry_time {
    use super::*;

    /// What lets the first attempt fail.
    pub(super) struct Gate {
        pub(super) permits: Arc<Semaphore>,
    }

    #[audit("retried.#", retry(max = 3, initial = "50ms"))]
    async fn fails_when_it_may(
        id: Json<u64>,
        gate: State<Gate>,
        ledger: State<Ledger>,
    ) -> Result<(), String> {
        if gate.permits.available_permits() == 0 {
            gate.permits.acquire().await.unwrap().forget();
            gate.permits.add_permits(100);
            return Err("now".to_owned());
        }
        ledger.handled(*id);
        Ok(())
    }

    /// The copy for the next attempt cannot be published: the message stays with the broker until it can.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn r7_the_broker_is_away_at_retry_time() {
        let Some(node) = shared().await else { return };
        let proxy = Proxy::start(node.port());
        let vhost = rig::vhost(node, "retry").await;
        let (ledger, gate) = (Ledger::default(), Arc::new(Semaphore::new(0)));
        let app = rig::app(&rig::url(proxy.port(), &vhost), module_path!());
        let bus = app.state(ledger.clone()).state(Gate { permits: gate.clone() }).start().await.unwrap();
        for id in 0..3_u64 {
            ledger.attempted(id);
            bus.audit("retried.x", &id).await.unwrap();
            ledger.confirmed(id);
        }
        let called = || bus.stats().handlers.iter().map(|handler| handler.called).sum::<u64>();
        until("all three are being handled", || called() == 3).await;
        proxy.shut();
        proxy.cut();
        until("the loss shows", || {
            bus.consumers()
                .iter()
                .all(|(_, standing)| *standing != bus_runtime::transport::Standing::Receiving)
        })
        .await;
        gate.add_permits(1);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(ledger.count_handled(), 0, "nothing can have come back");
        let opened = Instant::now();
        proxy.open();
        until("all are handled", || ledger.count_missing() == 0).await;
        let back = opened.elapsed();
        bus.settled().await.unwrap();
        ledger.balance("away at retry time").back_after(back).check();
        bus.shutdown().await;
        node.delete_vhost(&vhost).await;
    }
}
