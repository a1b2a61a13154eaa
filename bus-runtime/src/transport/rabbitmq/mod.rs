//! The RabbitMQ transport, and the only place that knows lapin.
//!
//! Two connections, because the broker stops reading from those that publish when it runs out of memory or disk. Each is
//! supervised by a task of ours; lapin's own recovery is not used. Consumers have a channel each, so that an error on one ends no other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::broker_url::{BrokerUrl, TlsOptions};
use crate::envelope::Envelope;
use crate::error::{Error, ErrorKind};
use crate::names::{ExchangeName, QueueName};
use crate::topology::diff::Difference;
use crate::topology::{Binding, Exchange, Queue, QueueType, Topology};

use super::{
    BoxFuture, Browser, Confirmation, ConnectionStatus, ConsumeOptions, Consumer, Deletion, Incoming, Limits,
    QueueState, Survey, Transport, TransportDescription,
};

mod attendance;
mod backoff;
mod browse;
mod connection;
mod consume;
mod convert;
mod declare;
mod declared;
#[cfg(feature = "fuzzing")]
mod fuzz;
mod get;
mod idleness;
mod management;
mod opening;
mod place;
mod probe;
mod publish;
mod reply;
mod settle;
mod tls;

#[cfg(feature = "fuzzing")]
pub(crate) use fuzz::{frames, table};

use self::backoff::{LONGEST_PAUSE, Pace};
use self::browse::RabbitBrowser;
use self::connection::{Address, Link, Live, REQUEST_TIMEOUT, Role, UPKEEP_INTERVAL};
use self::consume::{RabbitConsumer, Source};
use self::declared::Declared;
use self::publish::{Mender, Publishing};

/// A connection to RabbitMQ.
///
/// It comes back by itself when it is lost, for ever, and consumers with it; what was declared is declared again.
pub struct RabbitMq {
    address: Arc<Address>,
    consuming: Arc<Link>,
    publishing: Arc<Link>,
    publisher: Publishing,
    declared: Arc<Declared>,
    server: String,
    management_url: Option<String>,
    renewed_after: Duration,
}

/// After so many upkeeps without a message a consumer is made anew, in case the broker keeps its messages to itself.
const RENEWED_AFTER: u32 = 5;

/// How to connect to RabbitMQ, besides its address.
#[derive(Clone, Debug)]
pub struct RabbitMqOptions {
    /// The name of the connections, for people who look at the broker.
    pub name: String,
    /// How long a publish waits for its confirm, a lost connection included.
    pub publish_timeout: Duration,
    /// The longest pause between two attempts to connect to a broker that refuses or does not answer.
    pub longest_pause: Duration,
    /// How often what was declared is declared again, in case somebody has taken it away, and the broker is asked whether it has
    /// our consumers. One that gets nothing for five times as long consumes anew.
    pub upkeep: Duration,
    /// Where the management API is, such as `http://rabbit:15672`; without it, at port 15672 of the broker's host, or over
    /// https at port 15671 when the broker is spoken to over TLS. Only [`survey`](Transport::survey) asks it.
    pub management_url: Option<String>,
    /// How TLS is spoken, where an `amqps://` URL does not say.
    pub tls: TlsOptions,
}

impl Default for RabbitMqOptions {
    fn default() -> Self {
        Self {
            name: "bus".to_owned(),
            publish_timeout: super::PUBLISH_TIMEOUT,
            longest_pause: LONGEST_PAUSE,
            upkeep: UPKEEP_INTERVAL,
            management_url: None,
            tls: TlsOptions::default(),
        }
    }
}

impl RabbitMq {
    /// Connects, with default options.
    ///
    /// # Errors
    /// As [`connect_with`](Self::connect_with).
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub async fn connect(url: &BrokerUrl) -> Result<Self, Error> {
        Self::connect_with(url, RabbitMqOptions::default()).await
    }

    /// Connects.
    ///
    /// # Errors
    /// [`Connect`](ErrorKind::Connect), [`NameResolution`](ErrorKind::NameResolution),
    /// [`Tls`](ErrorKind::Tls), [`AccessRefused`](ErrorKind::AccessRefused), [`Vhost`](ErrorKind::Vhost);
    /// [`Config`](ErrorKind::Config) for files of certificates that cannot be used; [`Url`](ErrorKind::Url) for the address of
    /// the embedded broker.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub async fn connect_with(url: &BrokerUrl, options: RabbitMqOptions) -> Result<Self, Error> {
        let Some(url) = url.amqp() else {
            return Err(Error::new(
                ErrorKind::Url,
                format!("`{url}` is not the address of a RabbitMQ server"),
            ));
        };
        let RabbitMqOptions { name, publish_timeout, longest_pause, upkeep, management_url, tls } = options;
        let address = Arc::new(Address::new(url, tls));
        let declared = Arc::new(Declared::default());
        let pace = Arc::new(Pace::new(longest_pause));
        let consuming =
            Link::start(Role::Consume, address.clone(), &name, declared.clone(), pace.clone(), upkeep)
                .await?;
        let publishing =
            match Link::start(Role::Publish, address.clone(), &name, declared.clone(), pace, upkeep).await {
                Ok(link) => link,
                Err(error) => {
                    consuming.stop();
                    return Err(error);
                }
            };
        let server = consuming.live().map_or_else(|| "RabbitMQ".to_owned(), |live| live.server.clone());
        let mender = Mender::new(declared.clone(), consuming.clone());
        let publisher = Publishing::start(publishing.clone(), mender, publish_timeout);
        Ok(Self {
            address,
            consuming,
            publishing,
            publisher,
            declared,
            server,
            management_url,
            renewed_after: upkeep * RENEWED_AFTER,
        })
    }

    /// The connection for everything but publishing.
    async fn live(&self) -> Result<Arc<Live>, Error> {
        self.consuming.wait(Instant::now() + REQUEST_TIMEOUT).await
    }
}

impl Transport for RabbitMq {
    fn describe(&self) -> TransportDescription {
        TransportDescription {
            system: "rabbitmq",
            address: self.address.last().to_string(),
            server: self.server.clone(),
        }
    }

    fn declare<'a>(&'a self, topology: &'a Topology) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            declare::declare(&*self.live().await?, topology).await?;
            self.declared.remember(topology);
            Ok(())
        })
    }

    fn inspect<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Option<QueueState>, Error>> {
        Box::pin(async move { declare::inspect(&*self.live().await?, queue).await })
    }

    fn has_exchange<'a>(&'a self, exchange: &'a ExchangeName) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { probe::has_exchange(&*self.live().await?, exchange).await })
    }

    fn compare_exchange<'a>(
        &'a self,
        wanted: &'a Exchange,
    ) -> BoxFuture<'a, Result<Option<Vec<Difference>>, Error>> {
        Box::pin(async move { probe::compare_exchange(&*self.live().await?, wanted).await })
    }

    fn compare_queue<'a>(
        &'a self,
        wanted: &'a Queue,
    ) -> BoxFuture<'a, Result<Option<Vec<Difference>>, Error>> {
        Box::pin(async move { probe::compare_queue(&*self.live().await?, wanted).await })
    }

    fn survey(&self) -> BoxFuture<'_, Result<Survey, Error>> {
        Box::pin(async move {
            let live = self.live().await?;
            let url = self.address.current();
            let at = self.management_url.as_deref();
            management::survey(&url, &live.peer.host, at, self.address.tls()).await
        })
    }

    fn publish(&self, envelope: Arc<Envelope>) -> BoxFuture<'static, Result<Confirmation, Error>> {
        Box::pin(self.publisher.clone().publish(envelope))
    }

    fn consume<'a>(
        &'a self,
        queue: &'a QueueName,
        options: ConsumeOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Consumer>, Error>> {
        let source = Source {
            link: self.consuming.clone(),
            declared: self.declared.clone(),
            queue: queue.clone(),
            options,
            renewed_after: self.renewed_after,
        };
        Box::pin(async move { Ok(Box::new(RabbitConsumer::start(source).await?) as Box<dyn Consumer>) })
    }

    fn get<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Option<Incoming>, Error>> {
        Box::pin(async move { get::get(&*self.live().await?, queue).await })
    }

    fn browse<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Box<dyn Browser>, Error>> {
        let source = Source {
            link: self.consuming.clone(),
            declared: self.declared.clone(),
            queue: queue.clone(),
            options: ConsumeOptions { prefetch: 0, tag: format!("browse.{}", crate::seam::message_id()) },
            renewed_after: self.renewed_after,
        };
        Box::pin(async move { Ok(Box::new(RabbitBrowser::start(source).await?) as Box<dyn Browser>) })
    }

    fn purge<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move { declare::purge(&*self.live().await?, queue).await })
    }

    fn delete_queue<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.declared.forget_queue(queue);
            declare::delete_queue(&*self.live().await?, queue).await
        })
    }

    fn delete_idle_queue<'a>(
        &'a self,
        queue: &'a QueueName,
        queue_type: QueueType,
    ) -> BoxFuture<'a, Result<Deletion, Error>> {
        Box::pin(async move {
            let deleted = probe::delete_idle_queue(&*self.live().await?, queue, queue_type).await?;
            if deleted == Deletion::Done {
                self.declared.forget_queue(queue);
            }
            Ok(deleted)
        })
    }

    fn delete_unused_exchange<'a>(
        &'a self,
        exchange: &'a ExchangeName,
    ) -> BoxFuture<'a, Result<Deletion, Error>> {
        Box::pin(async move {
            let deleted = probe::delete_unused_exchange(&*self.live().await?, exchange).await?;
            if deleted == Deletion::Done {
                self.declared.forget_exchange(exchange);
            }
            Ok(deleted)
        })
    }

    fn delete_exchange<'a>(&'a self, exchange: &'a ExchangeName) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.declared.forget_exchange(exchange);
            declare::delete_exchange(&*self.live().await?, exchange).await
        })
    }

    fn unbind<'a>(&'a self, binding: &'a Binding) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.declared.forget_binding(binding);
            declare::unbind(&*self.live().await?, binding).await
        })
    }

    fn status(&self) -> ConnectionStatus {
        match (self.consuming.live(), self.publishing.live()) {
            (Some(_), Some(publishing)) => match publishing.blocked() {
                Some(reason) => ConnectionStatus::Blocked(reason),
                None => ConnectionStatus::Connected,
            },
            _ => ConnectionStatus::Disconnected,
        }
    }

    fn reconnects(&self) -> u64 {
        self.consuming.reconnects() + self.publishing.reconnects()
    }

    fn limits(&self) -> Option<Limits> {
        self.consuming.live().map(|live| live.limits())
    }

    fn close(&self, within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let deadline = Instant::now() + within;
            self.publisher.close(deadline).await;
            let left = deadline.saturating_duration_since(Instant::now());
            tokio::join!(self.publishing.close(left), self.consuming.close(left));
        })
    }
}

/// The tasks that keep the connections standing end with it.
impl Drop for RabbitMq {
    fn drop(&mut self) {
        self.publishing.stop();
        self.consuming.stop();
    }
}

impl fmt::Debug for RabbitMq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitMq")
            .field("url", &self.address.last())
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}
