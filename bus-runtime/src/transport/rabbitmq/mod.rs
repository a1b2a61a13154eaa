//! stub
use super::*;
use crate::broker_url::BrokerUrl;
/// stub
#[derive(Debug, Default)]
pub struct ConnectOptions {
    /// stub
    pub name: String,
    /// stub
    pub publish_timeout: Duration,
    /// stub
    pub x: (),
}
/// stub
pub type RabbitMq = super::embedded::EmbeddedBroker;
impl RabbitMq {
    /// stub
    pub async fn connect(_: &BrokerUrl, _: ConnectOptions) -> Result<Self, Error> {
        unreachable!()
    }
}
