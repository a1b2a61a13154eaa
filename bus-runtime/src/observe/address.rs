//! Which broker it is, as labels and spans say it.

use crate::broker_url::BrokerUrl;
use crate::transport::TransportDescription;

/// Which broker it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Address {
    /// `rabbitmq`, or `bus_embedded`.
    pub(crate) system: &'static str,
    /// The first of its hosts; `None` when it is in this process.
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
}

impl Address {
    pub(crate) fn of(described: &TransportDescription) -> Self {
        let system = match described.system {
            "embedded" => "bus_embedded",
            other => other,
        };
        let url = BrokerUrl::parse(&described.address).ok();
        // A label has one value.
        let first = url.as_ref().and_then(BrokerUrl::amqp).and_then(|url| url.hosts.first());
        Self { system, host: first.map(|host| host.name.clone()), port: first.map(|host| host.port) }
    }
}
