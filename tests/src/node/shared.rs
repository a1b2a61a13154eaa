//! The broker that all tests of a binary share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bus_runtime::BrokerUrl;
use bus_runtime::transport::{RabbitMq, RabbitMqOptions};
use tokio::sync::OnceCell;

use super::{RabbitNode, is_installed};

/// The address of a broker to test against, instead of a node of our own.
const URL: &str = "BUS_TEST_AMQP_URL";
/// Set to `1` where RabbitMQ must be there: a test that is left out is a failure then.
const REQUIRE: &str = "BUS_TEST_REQUIRE_RABBITMQ";

/// A broker to test against.
#[derive(Debug)]
pub struct SharedBroker {
    url: String,
    /// Kept for its guard: statics are never dropped, so the node ends with the program.
    _node: Option<RabbitNode>,
}

/// The broker that all tests of this binary share: the one of `BUS_TEST_AMQP_URL`, else a node that the first test starts.
/// `None` when there is no RabbitMQ here, and that is allowed; the reason is printed once.
///
/// # Panics
/// When there is none and `BUS_TEST_REQUIRE_RABBITMQ` is `1`.
pub async fn shared() -> Option<&'static SharedBroker> {
    static SHARED: OnceCell<Option<SharedBroker>> = OnceCell::const_new();
    let shared = SHARED.get_or_init(|| async {
        match variable(URL) {
            Some(url) => Some(SharedBroker { url, _node: None }),
            None => {
                RabbitNode::try_start().await.map(|node| SharedBroker { url: node.url(), _node: Some(node) })
            }
        }
    });
    shared.await.as_ref()
}

impl SharedBroker {
    /// Connects to the broker.
    ///
    /// # Panics
    /// When it cannot be reached.
    pub async fn connect(&self) -> Arc<RabbitMq> {
        connect(&self.url).await
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A prefix for names that no other test has, neither of this run nor of another one.
    #[must_use]
    pub fn prefix(&self) -> String {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        format!("t{}-{:x}-{number}.", std::process::id(), now.as_micros() & 0xff_ffff)
    }
}

impl RabbitNode {
    /// Starts a node; `None` when RabbitMQ is not installed, and that is allowed: there is a broker to test against, which must
    /// not be killed, or none is required.
    ///
    /// # Panics
    /// When it is not installed, `BUS_TEST_REQUIRE_RABBITMQ` is `1` and `BUS_TEST_AMQP_URL` is not set.
    pub async fn try_start() -> Option<Self> {
        match may_start() {
            true => Some(Self::start().await),
            false => None,
        }
    }
}

/// Whether a node can be started; when it cannot, says so, or panics where one is required.
pub(super) fn may_start() -> bool {
    let installed = is_installed();
    if !installed {
        left_out();
    }
    installed
}

/// Connects to a broker for a test.
///
/// # Panics
/// When it cannot be reached.
pub async fn connect(url: &str) -> Arc<RabbitMq> {
    let url = BrokerUrl::parse(url).expect("the URL of a broker");
    let options = RabbitMqOptions {
        name: "bus-tests".to_owned(),
        publish_timeout: Duration::from_secs(20),
        ..RabbitMqOptions::default()
    };
    Arc::new(RabbitMq::connect_with(&url, options).await.expect("a connection to RabbitMQ"))
}

/// Says once what is left out.
fn left_out() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    assert!(
        variable(URL).is_some() || variable(REQUIRE).as_deref() != Some("1"),
        "RabbitMQ is required ({REQUIRE}=1), but it is not installed and {URL} is not set"
    );
    ONCE.call_once(|| {
        use std::io::Write;
        // Not `eprintln!`: the test harness would keep it to itself.
        let _ = writeln!(
            std::io::stderr(),
            "left out: tests that start RabbitMQ, which is not installed (set {URL}, or run tests/run.sh)"
        );
    });
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests are configured by the environment too")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
