//! Makes a connection: resolves the name, tries every address of every host, and shakes hands.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo, SASLMechanism};
use tokio::sync::watch;
use tokio::time::timeout;

use super::exposure;
use super::greeting::Greeting;
use super::stream::{self, Introduction};
use super::{Defects, Live, Peer, Role, introduction};
use crate::broker_url::AmqpUrl;
use crate::error::{Error, ErrorKind};
use crate::transport::rabbitmq::reply;
use crate::transport::rabbitmq::tls::Tls;

/// How long one address has for its TCP connection and the AMQP handshake. RabbitMQ's own limit is 10 s.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A dead peer is noticed after two intervals.
const HEARTBEAT_SECS: u16 = 10;

/// Connects to the first host that answers.
///
/// # Errors
/// What the last host said; at once when a host refuses the user or the virtual host, as the others would.
pub(super) async fn open(url: &AmqpUrl, role: Role, name: &str) -> Result<Live, Error> {
    let tls = Tls::load(url)?;
    let mut last = None;
    for host in &url.hosts {
        let tls = tls.as_ref().map(|tls| tls.to(host)).transpose()?;
        let limit = url.connection_timeout.unwrap_or(CONNECT_TIMEOUT);
        match (Attempt { url, peer: Peer::new(url, host), tls, role, name, limit }).host().await {
            Ok(live) => return Ok(live),
            Err(error) if matches!(error.kind(), ErrorKind::AccessRefused | ErrorKind::Vhost) => {
                return Err(error);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| Error::new(ErrorKind::Url, "the broker URL has no host")))
}

/// An attempt to connect to one host.
struct Attempt<'a> {
    url: &'a AmqpUrl,
    peer: Peer,
    tls: Option<Tls>,
    role: Role,
    name: &'a str,
    /// How long each step may take.
    limit: Duration,
}

impl Attempt<'_> {
    /// Connects to the first address of the host that answers.
    async fn host(self) -> Result<Live, Error> {
        let Self { peer, limit, .. } = &self;
        let resolving = tokio::net::lookup_host((peer.host.name.as_str(), peer.host.port));
        let addresses = match timeout(*limit, resolving).await {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(error)) => return Err(reply::no_address(&error, peer)),
            Err(_) => return Err(reply::silent(*limit, peer)),
        };
        let mut last = reply::no_address(&std::io::Error::other("it has no address"), peer);
        for address in addresses {
            match self.address(address).await {
                Ok(live) => {
                    exposure::warn(self.url, &peer.host, address.ip());
                    return Ok(live);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn address(&self, address: SocketAddr) -> Result<Live, Error> {
        let Self { url, peer, tls, role, name, limit } = self;
        let server = Introduction::default();
        let defects = Arc::new(Defects::default());
        let runtime = stream::runtime(server.clone(), defects.clone(), tls.clone());
        let connecting = lapin::Connection::connect_uri_with_runtime(
            uri(url, address),
            introduction(*role, name),
            runtime,
        );
        match timeout(*limit, connecting).await {
            Ok(Ok(connection)) => Ok(Live {
                connection,
                peer: peer.clone(),
                server: match server.get() {
                    Some(Greeting::From(product)) => product.clone(),
                    _ => "RabbitMQ".to_owned(),
                },
                defects,
                blocked: watch::Sender::new(None),
                spent: AtomicU32::new(0),
            }),
            _ if server.get() == Some(&Greeting::Tls) => Err(reply::speaks_tls(peer)),
            Ok(Err(error)) => {
                let told = reply::no_connection(&error, peer);
                let is_mute = server.get().is_none() && told.kind() == ErrorKind::Connect;
                Err(if tls.is_some() && is_mute { reply::hung_up(peer).with_source(told) } else { told })
            }
            Err(_) => Err(reply::silent(*limit, peer)),
        }
    }
}

/// What lapin wants to know, with the address in place of the name.
fn uri(url: &AmqpUrl, address: SocketAddr) -> AMQPUri {
    AMQPUri {
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo { username: url.user.clone(), password: url.password.clone() },
            host: address.ip().to_string(),
            port: address.port(),
        },
        vhost: url.vhost.clone(),
        query: AMQPQueryString {
            heartbeat: Some(url.heartbeat.unwrap_or(HEARTBEAT_SECS)),
            channel_max: url.channel_max,
            frame_max: url.frame_max,
            auth_mechanism: url.external.then_some(SASLMechanism::External),
            ..AMQPQueryString::default()
        },
    }
}
