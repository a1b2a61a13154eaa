//! A place to run an app in a test: the embedded broker, or a private corner of a real RabbitMQ.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus_runtime::transport::{RabbitMq, Transport, Verdict};
use bus_runtime::{App, BrokerUrl, Config, EmbeddedBroker, Envelope, HandlerRegistration, QueueName};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A place to run an app in a test.
#[derive(Clone, Debug)]
pub struct Arena {
    transport: Arc<dyn Transport>,
    place: Place,
    prefix: String,
}

/// What an app of the arena connects to. On RabbitMQ it has connections of its own, which it closes when it ends.
#[derive(Clone, Debug)]
enum Place {
    Embedded(EmbeddedBroker),
    RabbitMq(BrokerUrl),
}

impl Arena {
    /// A new embedded broker.
    #[must_use]
    pub fn embedded() -> Self {
        let broker = EmbeddedBroker::new();
        Self { transport: Arc::new(broker.clone()), place: Place::Embedded(broker), prefix: String::new() }
    }

    /// A corner of a broker that others use too: everything is declared under this prefix.
    ///
    /// # Panics
    /// When the broker is not there.
    pub async fn on(url: BrokerUrl, prefix: String) -> Self {
        let transport = RabbitMq::connect(&url).await.expect("RabbitMQ is there");
        Self { transport: Arc::new(transport), place: Place::RabbitMq(url), prefix }
    }

    /// An app with the handlers of one module, whatever else is linked.
    pub fn app(&self, module: &str) -> App {
        let of_module =
            HandlerRegistration::linked().filter(|registration| registration.id().module == module);
        of_module.fold(self.app_without_handlers(), |app, registration| app.register(*registration))
    }

    /// An app that only publishes.
    pub fn app_without_handlers(&self) -> App {
        let app = bus_runtime::app().without_handlers().name("test").config(self.config());
        match &self.place {
            Place::Embedded(broker) => app.embedded(broker),
            Place::RabbitMq(_) => app,
        }
    }

    /// The settings of such an app.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::default();
        config.plan.prefix.clone_from(&self.prefix);
        if let Place::RabbitMq(url) = &self.place {
            config.broker_url = Some(url.clone());
        }
        config
    }

    /// The broker itself.
    #[must_use]
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    /// A name as it is on the broker.
    #[must_use]
    pub fn name(&self, name: &str) -> QueueName {
        QueueName::new(format!("{}{name}", self.prefix)).expect("a short name")
    }

    /// Takes everything that is ready in a queue off it.
    pub async fn take(&self, queue: &str) -> Vec<Arc<Envelope>> {
        let mut taken = Vec::new();
        while let Some(incoming) = self.transport.get(&self.name(queue)).await.expect("the queue exists") {
            taken.push(Arc::clone(&incoming.envelope));
            incoming.settler.settle(Verdict::Ack).expect("the channel lives");
        }
        taken
    }

    /// How many messages are ready in a queue.
    pub async fn ready(&self, queue: &str) -> u64 {
        let state = self.transport.inspect(&self.name(queue)).await.expect("the broker answers");
        state.map_or(0, |state| state.ready)
    }

    /// Waits until a queue holds so many ready messages.
    pub async fn until_ready(&self, queue: &str, wanted: u64) {
        let mut found = 0;
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                found = self.ready(queue).await;
                if found == wanted {
                    return;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        });
        assert!(waited.await.is_ok(), "`{queue}` holds {found} ready messages, not {wanted}");
    }
}

/// A private corner of the RabbitMQ that the tests share; `None` when there is none to test with.
///
/// # Panics
/// When it must be there and is not.
#[cfg(unix)]
pub async fn rabbitmq() -> Option<Arena> {
    let broker = crate::node::shared().await?;
    let url = BrokerUrl::parse(broker.url()).expect("a URL");
    Some(Arena::on(url, broker.prefix()).await)
}

/// How long to wait between two looks at a broker.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Waits for a condition that must come true.
///
/// # Panics
/// When it does not.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !condition() {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    });
    assert!(waited.await.is_ok(), "waited in vain until {what}");
}

/// What handlers were called with, as the test and its handlers share it.
#[derive(Clone, Debug, Default)]
pub struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    /// Notes a call.
    #[expect(clippy::needless_pass_by_value, reason = "callers pass what they have")]
    pub fn add(&self, call: impl ToString) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call.to_string());
    }

    /// All calls, in order.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many calls there were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all().len()
    }

    /// Waits for so many calls.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn until(&self, count: usize) {
        until(&format!("{count} calls"), || self.count() >= count).await;
    }
}
