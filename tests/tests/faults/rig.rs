//! A worker in a virtual host of its own, with the books of everything that is published to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bus_runtime::prelude::*;
use bus_runtime::transport::{RabbitMq, Standing, Transport, Verdict};
use bus_runtime::{
    App, Attempt, BrokerUrl, Bus, Config, Envelope, Error, ErrorKind, HandlerRegistration, QueueName,
};
use bus_tests::balance::{Balance, Ledger};
use bus_tests::node::{self, RabbitNode};

/// How long a worker may take to come back: its longest pause, and some more.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How long a queue may be without our consumer in the broker's view while the worker believes to receive: it consumes an idle
/// queue anew, which takes a moment. A consumer that the broker has forgotten would be missed after a minute only.
const CONSUMED_ANEW: Duration = Duration::from_secs(10);
/// How long a publish waits. Longer than any outage of the suite, so that what fails fails for another reason.
pub(crate) const PUBLISH_TIMEOUT: Duration = Duration::from_secs(45);
/// A dead peer is noticed after two of them.
pub(crate) const HEARTBEAT_SECS: u16 = 1;

/// What is published to each of the handlers below.
pub(crate) const KEYS: [&str; 4] = ["load.x", "flaky.x", "poison.x", "each.x"];

#[audit("load.#")]
async fn load(id: Json<u64>, ledger: State<Ledger>) {
    ledger.handled(*id);
}

#[audit("flaky.#", retry(max = 3, initial = "300ms"))]
async fn flaky(id: Json<u64>, attempt: Attempt, ledger: State<Ledger>) -> Result<(), String> {
    if attempt == Attempt(1) {
        return Err("once".to_owned());
    }
    ledger.handled(*id);
    Ok(())
}

#[audit("poison.#", retry(max = 1, initial = "100ms"))]
async fn poison(_id: Json<u64>) -> Result<(), String> {
    Err("always".to_owned())
}

#[audit("each.#", fanout = "each")]
async fn each(id: Json<u64>, ledger: State<Ledger>) {
    ledger.handled(*id);
}

/// A worker, and what a test needs around it.
pub(crate) struct Rig {
    pub(crate) bus: Bus,
    pub(crate) ledger: Ledger,
    pub(crate) vhost: String,
    ids: Arc<AtomicU64>,
}

/// What publishes to a worker and keeps the books. Clones share both.
#[derive(Clone)]
pub(crate) struct Feeder {
    publisher: Publisher,
    pub(crate) ledger: Ledger,
    ids: Arc<AtomicU64>,
}

/// A name for a virtual host that no other test has.
pub(crate) async fn vhost(node: &RabbitNode, name: &str) -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let vhost = format!("{name}-{}", COUNTER.fetch_add(1, Ordering::Relaxed));
    node.add_vhost(&vhost).await;
    vhost
}

/// The address of a virtual host at this port, with heartbeats that a test can wait for.
pub(crate) fn url(port: u16, vhost: &str) -> String {
    format!("amqp://guest:guest@127.0.0.1:{port}/{vhost}?heartbeat={HEARTBEAT_SECS}")
}

/// An app with the handlers of this file, or of another module.
pub(crate) fn app(url: &str, module: &str) -> App {
    app_with(url, module, |_| {})
}

fn app_with(url: &str, module: &str, change: impl FnOnce(&mut Config)) -> App {
    let mut config = Config::default();
    config.broker_url = Some(BrokerUrl::parse(url).unwrap());
    config.publish_timeout = PUBLISH_TIMEOUT;
    change(&mut config);
    let handlers = HandlerRegistration::linked().filter(|handler| handler.id().module == module);
    handlers.fold(bus_runtime::app(), |app, handler| app.register(*handler)).name("rig").config(config)
}

impl Rig {
    /// Starts a worker at this port of the broker, or of a proxy to it, in a new virtual host.
    pub(crate) async fn start(node: &RabbitNode, port: u16, name: &str) -> Self {
        Self::start_with(node, port, name, |_| {}).await
    }

    /// With other settings.
    pub(crate) async fn start_with(
        node: &RabbitNode,
        port: u16,
        name: &str,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let vhost = vhost(node, name).await;
        Self::started(app_with(&url(port, &vhost), module_path!(), change), vhost).await
    }

    /// At an address of its own.
    pub(crate) async fn start_at(url: &str, vhost: String) -> Self {
        Self::started(app(url, module_path!()), vhost).await
    }

    /// On a transport of its own.
    pub(crate) async fn start_on(transport: RabbitMq, url: &str, vhost: String) -> Self {
        Self::started(app(url, module_path!()).transport(Arc::new(transport)), vhost).await
    }

    async fn started(app: App, vhost: String) -> Self {
        let ledger = Ledger::default();
        let bus = app.state(ledger.clone()).start().await.unwrap();
        Self { bus, ledger, vhost, ids: Arc::default() }
    }

    pub(crate) fn feeder(&self) -> Feeder {
        Feeder { publisher: self.bus.publisher(), ledger: self.ledger.clone(), ids: self.ids.clone() }
    }

    /// Publishes one message to each handler.
    pub(crate) async fn publish_round(&self) {
        for key in KEYS {
            self.feeder().publish(key).await.unwrap();
        }
    }

    /// Waits until everything that was published is handled or dead, and notes what is dead: a test is about to delete it.
    pub(crate) async fn until_idle(&self, node: &RabbitNode) {
        let control = node::connect(&url(node.port(), &self.vhost)).await;
        let waited = tokio::time::timeout(PATIENCE, async {
            while self.ledger.count_missing() > 0 {
                self.note_dead(&control).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        assert!(waited.await.is_ok(), "not everything ends: {}", self.ledger.balance("until idle"));
        control.close(Duration::from_secs(5)).await;
    }

    /// Takes the dead letters off their queues.
    async fn note_dead(&self, control: &RabbitMq) {
        for queue in &self.bus.plan().queues {
            take(control, &queue.dead, |id| self.ledger.dead(id)).await;
        }
    }

    /// The queue of this handler, and that of its dead letters.
    pub(crate) fn queue(&self, handler: &str) -> (QueueName, QueueName) {
        let queues = &self.bus.plan().queues;
        let found = queues.iter().find(|queue| queue.name.contains(&format!(".{handler}.")));
        let queue = found.unwrap_or_else(|| panic!("{queues:?}"));
        (queue.name.clone(), queue.dead.clone())
    }

    /// Whether every consumer receives, as far as the worker itself can tell.
    pub(crate) fn is_ready(&self) -> bool {
        self.bus.consumers().iter().all(|(_, standing)| *standing == Standing::Receiving)
    }

    /// Waits until the worker has noticed that something is wrong.
    pub(crate) async fn until_not_ready(&self) {
        until("the worker notices", || !self.is_ready()).await;
    }

    /// Publishes to every handler until all of them have handled a message that was published after now. Says how long it took
    /// since `fault_ended`.
    pub(crate) async fn until_back(&self, fault_ended: Instant) -> Duration {
        let feeder = self.feeder();
        let mut away = Vec::new();
        let probes = ["load.probe", "flaky.probe", "each.probe"].map(|key| {
            let feeder = &feeder;
            async move {
                let back = tokio::time::timeout(PATIENCE, probe(feeder, key)).await;
                back.is_err().then_some(key)
            }
        });
        away.extend(futures_util::future::join_all(probes).await.into_iter().flatten());
        if !away.is_empty() {
            let (status, consumers) = (self.bus.status(), self.bus.consumers());
            panic!("{away:?} do not come back: {status:?} {consumers:?}");
        }
        fault_ended.elapsed()
    }

    /// Waits until nothing is under way any more, ends the worker, looks into its queues, and closes the books.
    pub(crate) async fn balance(self, node: &RabbitNode, what: &str, back_after: Duration) -> Balance {
        until("every consumer receives", || self.is_ready()).await;
        let control = node::connect(&url(node.port(), &self.vhost)).await;
        for (queue, _) in self.bus.consumers() {
            // A queue may be consumed anew at this very moment.
            let consumed = async {
                loop {
                    match control.inspect(&queue).await {
                        Ok(Some(state)) if state.consumers >= 1 => return,
                        Ok(Some(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
                        // The queue of `each` shows itself to its own connection only, which had a message from it a moment ago.
                        Err(error) if error.kind() == ErrorKind::ExclusiveQueue => return,
                        other => panic!("{what}: {queue}: {other:?}"),
                    }
                }
            };
            assert!(
                tokio::time::timeout(CONSUMED_ANEW, consumed).await.is_ok(),
                "{what}: nobody consumes {queue}"
            );
        }
        self.bus.settled().await.unwrap();
        let work: Vec<_> = self.bus.plan().queues.iter().map(|queue| queue.name.clone()).collect();
        let quiet = async {
            while self.ledger.count_missing() > 0 {
                self.note_dead(&control).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        // What is still missing then is waiting somewhere, or lost.
        let _ = tokio::time::timeout(PATIENCE / 2, quiet).await;
        self.bus.shutdown().await;
        for queue in &work {
            take(&control, queue, |id| self.ledger.queued(id)).await;
        }
        control.close(Duration::from_secs(5)).await;
        node.delete_vhost(&self.vhost).await;
        self.ledger.balance(what).back_after(back_after).check()
    }
}

/// Publishes messages until one of them is handled.
async fn probe(feeder: &Feeder, key: &str) {
    loop {
        let Ok(id) = feeder.publish(key).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let handled = async {
            while !feeder.ledger.was_handled(id) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(5), handled).await.is_ok() {
            return;
        }
    }
}

impl Feeder {
    /// Publishes the next message, and writes into the books what the broker says.
    pub(crate) async fn publish(&self, key: &str) -> Result<u64, Error> {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        self.ledger.attempted(id);
        self.publisher.audit(key, &id).await?;
        // The queue of `each` goes with its connection, and nobody promises what is in it.
        if !key.starts_with("each.") {
            self.ledger.confirmed(id);
        }
        Ok(id)
    }
}

/// Takes all messages off a queue, when there is such a queue.
async fn take(transport: &RabbitMq, queue: &QueueName, note: impl Fn(u64)) {
    while let Ok(Some(incoming)) = transport.get(queue).await {
        note(number(&incoming.envelope));
        incoming.settler.settle(Verdict::Ack).unwrap();
    }
}

fn number(envelope: &Envelope) -> u64 {
    serde_json::from_slice(&envelope.body).unwrap_or_else(|error| panic!("{envelope:?}: {error}"))
}

/// Waits for a condition that must come true.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited in vain until {what}");
}
