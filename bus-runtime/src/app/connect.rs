//! Connecting: to the broker that the code has chosen, else to the one of the settings, else to one inside of the program.

use std::sync::Arc;
use std::time::Duration;

use super::App;
use crate::broker_url::BrokerUrl;
use crate::config::{Config, Patience};
use crate::error::{Error, ErrorKind};
use crate::transport::Transport;
use crate::transport::embedded::EmbeddedBroker;

/// The pauses between attempts to reach a broker that is away: first and longest.
const CONNECT_PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// A broker that the code has chosen.
#[derive(Clone)]
pub(super) enum Broker {
    Embedded(EmbeddedBroker),
    #[cfg(feature = "testing")]
    EmbeddedBehind(EmbeddedBroker, Arc<dyn Transport>),
    Other(Arc<dyn Transport>),
}

impl App {
    /// Connects without starting anything.
    pub(crate) async fn connect_only(&self) -> Result<Arc<dyn Transport>, Error> {
        Ok(match self.connect(&self.settings()?).await? {
            Broker::Embedded(broker) => Arc::new(broker),
            #[cfg(feature = "testing")]
            Broker::EmbeddedBehind(_, transport) => transport,
            Broker::Other(transport) => transport,
        })
    }

    /// Whether the app would run on an embedded broker.
    #[cfg(feature = "cli")]
    pub(crate) fn is_embedded(&self) -> Result<bool, Error> {
        Ok(match &self.broker {
            Some(Broker::Embedded(_)) => true,
            #[cfg(feature = "testing")]
            Some(Broker::EmbeddedBehind(..)) => true,
            Some(Broker::Other(_)) => false,
            None => self.settings()?.broker_url.is_none_or(|url| url.is_embedded()),
        })
    }

    /// Refuses a command that makes no sense on a broker which ends with this process.
    #[cfg(feature = "cli")]
    pub(crate) fn needs_remote_broker(&self, command: &str) -> Result<(), Error> {
        if !self.is_embedded()? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NoBroker, format!("`{command}` needs a broker, and none is configured"))
            .with_help("set BROKER_URL=amqp://user:password@host:5672; the embedded broker is set up by itself when the app runs"))
    }

    /// Connects; while the broker is away, again and again, for as long as the settings say.
    async fn connect_patiently(&self, url: &BrokerUrl, config: &Config) -> Result<Broker, Error> {
        let (mut pause, longest) = CONNECT_PAUSES;
        let started = crate::seam::now();
        loop {
            let error = match connect(url, &self.app_name(), config).await {
                Ok(broker) => return Ok(broker),
                Err(error) => error,
            };
            let away =
                matches!(error.kind(), ErrorKind::Connect | ErrorKind::NameResolution | ErrorKind::TimedOut);
            let patient = match config.wait_for_broker {
                Some(Patience::Forever) => true,
                Some(Patience::For(time)) => started.elapsed() < time,
                None => false,
            };
            if !away || !patient {
                return Err(error);
            }
            tracing::warn!(code = error.kind().code(), help = error.help(), next_in = ?pause, "{error}");
            crate::seam::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    pub(super) async fn connect(&self, config: &Config) -> Result<Broker, Error> {
        match (&self.broker, &config.broker_url) {
            (Some(broker), _) => Ok(broker.clone()),
            (None, Some(url)) if !url.is_embedded() => self.connect_patiently(url, config).await,
            (None, None) if config.require_broker => Err(Error::new(ErrorKind::NoBroker, "no broker configured")
                .with_help("set BROKER_URL=amqp://…, or drop the requirement to run on the embedded broker (messages are gone when the process ends)")),
            (None, _) => Ok(Broker::Embedded(EmbeddedBroker::new())),
        }
    }
}

#[cfg(feature = "rabbitmq")]
async fn connect(url: &BrokerUrl, name: &str, config: &Config) -> Result<Broker, Error> {
    let options = crate::transport::RabbitMqOptions {
        name: name.to_owned(),
        publish_timeout: config.publish_timeout,
        management_url: config.management_url.clone(),
        tls: config.tls.clone(),
        ..crate::transport::RabbitMqOptions::default()
    };
    let transport = crate::transport::RabbitMq::connect_with(url, options).await?;
    Ok(Broker::Other(Arc::new(transport)))
}

#[cfg(not(feature = "rabbitmq"))]
async fn connect(url: &BrokerUrl, _name: &str, _config: &Config) -> Result<Broker, Error> {
    Err(Error::new(
        ErrorKind::Url,
        format!("this program is built without RabbitMQ, and can't connect to {url}"),
    )
    .with_help("build bus-runtime with its feature `rabbitmq`"))
}
