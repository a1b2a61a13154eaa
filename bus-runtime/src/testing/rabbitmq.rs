//! A corner of a real RabbitMQ: everything that a test declares there has a prefix of its own, and is removed afterwards.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::core::{Core, expect};
use super::journal::Journal;
use super::link::Link;
use super::{RealTime, TestBus};
use crate::app::App;
use crate::broker_url::BrokerUrl;
use crate::config::{Config, TestBroker};
use crate::error::Error;
use crate::seam;
use crate::transport::{RabbitMq, RabbitMqOptions, Transport};

/// How long closing a connection may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The broker to test on; nothing when there is none, which is said for each test.
pub(super) fn url() -> Option<BrokerUrl> {
    match expect("know its broker", TestBroker::from_env()) {
        TestBroker::At(url) => Some(*url),
        TestBroker::Required => {
            panic!("this test needs RabbitMQ (BUS_TEST_REQUIRE_RABBITMQ=1), and BUS_TEST_AMQP_URL is not set")
        }
        TestBroker::None => {
            // A test's thread is called as the test.
            let thread = std::thread::current();
            let test = thread.name().unwrap_or("a test");
            // Not `eprintln!`: the test harness would keep it to itself.
            let _ = writeln!(
                std::io::stderr(),
                "not run: {test}: set BUS_TEST_AMQP_URL=amqp://guest:guest@localhost (BUS_TEST_REQUIRE_RABBITMQ=1 makes this a failure)"
            );
            None
        }
    }
}

impl TestBus<RealTime> {
    /// An app in a corner of this broker.
    pub(super) async fn on_rabbitmq(mut app: App, url: BrokerUrl) -> Self {
        let transport = Arc::new(expect("connect", connect(&url).await));
        let journal = Arc::new(Journal::new());
        let link = Link::to(transport, &journal);
        let config = app.config.get_or_insert_with(Config::default);
        config.http = None;
        config.plan.prefix = format!("test-{}.", seam::message_id());
        config.broker_url = Some(url.clone());
        let app = app.transport(Arc::clone(&link) as _).witnessed_by(Arc::clone(&journal) as _);
        let bus = expect("start", app.start().await);
        Self::new(Core { bus, link, broker: None, url: Some(url), journal, letters: Mutex::default() })
    }

    /// Closes the connections and deletes what was declared. Other programs' exchanges and queues have no prefix of this test.
    pub(super) async fn remove_everything(self) -> Result<(), Error> {
        let declared = self.core.link.declared();
        let Some(url) = &self.core.url else { return Ok(()) };
        let prefix = self.core.bus.running().hub.settings.prefix.clone();
        // Consumers bring back a queue that goes away, so they go first.
        self.core.link.close(CLOSE_TIMEOUT).await;
        let transport = connect(url).await?;
        for queue in declared.queues.iter().filter(|queue| queue.name.starts_with(&prefix)) {
            transport.delete_queue(&queue.name).await?;
        }
        for exchange in declared.exchanges.iter().filter(|exchange| exchange.name.starts_with(&prefix)) {
            transport.delete_exchange(&exchange.name).await?;
        }
        transport.close(CLOSE_TIMEOUT).await;
        Ok(())
    }
}

async fn connect(url: &BrokerUrl) -> Result<RabbitMq, Error> {
    let options = RabbitMqOptions { name: "bus-test".to_owned(), ..RabbitMqOptions::default() };
    RabbitMq::connect_with(url, options).await
}
