//! What the broker says: whether it can be reached, what it is, what we may do there, and what is declared.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{Diagnosis, clock};
use crate::app::App;
use crate::broker_url::{AmqpUrl, Host};
use crate::cli::{report, run};
use crate::envelope::Envelope;
use crate::error::{Error, ErrorKind};
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::provision::Provision;
use crate::seam;
use crate::topology::diff::Remedy;
use crate::topology::{Queue, QueueType, Topology};
use crate::transport::{Confirmation, Transport};

/// How long a name or an address may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The oldest RabbitMQ that everything works with.
const OLDEST: (u32, u32) = (3, 10);
/// Channels besides those of the queues: for publishing, declaring and answering.
const OTHER_CHANNELS: usize = 8;

pub(super) async fn examine(app: &App, url: &AmqpUrl, found: &mut Diagnosis) {
    for host in url.hosts() {
        reach(host, found).await;
    }
    let provision = match app.provision().await {
        Ok(provision) => provision,
        Err(error) => return found.error(connecting(error.kind()), &error),
    };
    let transport = Arc::clone(provision.transport());
    found.ok("login", format!("as {}", who(url)));
    if url.is_tls() {
        let unverified = url.tls.as_ref().is_some_and(|tls| tls.unverified);
        let how = if unverified { "and nobody knows with whom" } else { "the certificate is trusted" };
        found.ok("tls", format!("the line is encrypted, {how}"));
    }
    version(&transport.describe().server, found);
    limits(app, &*transport, found);
    patience(app, found);
    round_trip(app, &*transport, found).await;
    clock::compare(app, &*transport, found).await;
    topology(&provision, found).await;
    transport.close(run::CLOSE_TIMEOUT).await;
}

/// The check that an error of connecting belongs to.
fn connecting(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Tls => "tls",
        ErrorKind::AccessRefused | ErrorKind::Vhost => "login",
        ErrorKind::Config | ErrorKind::Url => "config",
        _ => "connect",
    }
}

fn who(url: &AmqpUrl) -> String {
    match url.external {
        true => format!("the client certificate, in vhost `{}`", url.vhost()),
        false => format!("user `{}`, in vhost `{}`", url.user(), url.vhost()),
    }
}

/// The addresses of a host, and which of them take a connection.
async fn reach(host: &Host, found: &mut Diagnosis) {
    let resolved = timeout(PATIENCE, tokio::net::lookup_host((host.name.as_str(), host.port))).await;
    let addresses: Vec<SocketAddr> = match resolved {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => return unresolved(host, &error.to_string(), found),
        Err(_) => return unresolved(host, "nobody answers in time", found),
    };
    let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    found.ok("dns", format!("{} is {}", host.name, shown.join(", ")));
    for address in addresses {
        let began = seam::now();
        let refused = match timeout(PATIENCE, tokio::net::TcpStream::connect(address)).await {
            Ok(Ok(_)) => {
                found.ok("connect", format!("{address} answers after {:.0?}", began.elapsed()));
                continue;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        // Another address or another host may do; whether one does is found out by connecting.
        found.warn(
            "connect",
            format!("{address}: {refused}"),
            "is RabbitMQ running there, and the port open?",
        );
    }
}

fn unresolved(host: &Host, why: &str, found: &mut Diagnosis) {
    found.warn(
        "dns",
        format!("`{}` has no address: {why}", host.name),
        "check the spelling, and the DNS or the hosts file of this machine",
    );
}

fn version(server: &str, found: &mut Diagnosis) {
    let numbers = server.strip_prefix("RabbitMQ ").and_then(|version| {
        let mut parts = version.split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    });
    match numbers {
        Some(version) if version < OLDEST => found.warn(
            "version",
            format!("{server} is older than 3.10, the oldest that Bus is tested with"),
            "upgrade the broker",
        ),
        _ => found.ok("version", server),
    }
}

/// Each queue that is consumed takes a channel.
fn limits(app: &App, transport: &dyn Transport, found: &mut Diagnosis) {
    let Some(limits) = transport.limits() else { return };
    let needed = app.plan().map_or(0, |plan| plan.queues.len()) + OTHER_CHANNELS;
    let told = format!(
        "{} channels a connection, {} bytes a frame, heartbeat {} s",
        limits.channels, limits.frame_bytes, limits.heartbeat_secs
    );
    match limits.channels > 0 && usize::from(limits.channels) < needed {
        true => found.fail(
            "limits",
            format!("{told}; this program needs {needed} channels"),
            "raise channel_max in rabbitmq.conf, or run fewer handlers in one process: --handlers",
        ),
        false => found.ok("limits", told),
    }
}

/// RabbitMQ tells its `consumer_timeout` neither over AMQP nor over the management API.
fn patience(app: &App, found: &mut Diagnosis) {
    let assumed = app.settings().ok().and_then(|config| config.ack_timeout);
    let assumed = assumed.map_or_else(|| "none".to_owned(), |limit| format!("{} s", limit.as_secs_f64()));
    found.ok(
        "ack timeout",
        format!("{assumed} assumed: only `rabbitmqctl environment` shows the broker's consumer_timeout; BUS_ACK_TIMEOUT says another one"),
    );
}

/// Sends a message to a queue of our own, and takes it back: what configure, write and read are for.
async fn round_trip(app: &App, transport: &dyn Transport, found: &mut Diagnosis) {
    let began = seam::now();
    match send_and_take(app, transport).await {
        Ok(()) => {
            let took = began.elapsed();
            found.ok(
                "permissions",
                format!("declared a queue, published, and got the message after {took:.0?}"),
            );
        }
        // The rights of a user may end at the names of the app.
        Err(error) if error.kind() == ErrorKind::Permission => found.warn(
            "permissions",
            format!("a queue of doctor's own cannot be used: {error}"),
            error.help().unwrap_or_default(),
        ),
        Err(error) => found.error("permissions", &error),
    }
}

async fn send_and_take(app: &App, transport: &dyn Transport) -> Result<(), Error> {
    let prefix = app.settings()?.plan.prefix;
    let name = QueueName::new(format!("{prefix}bus.doctor.{}", seam::message_id()))?;
    let queue = Queue { exclusive: true, durable: false, ..Queue::durable(name.clone(), QueueType::Classic) };
    transport.declare(&Topology { queues: vec![queue], ..Topology::default() }).await?;
    let key = RoutingKey::new(&name)?;
    let envelope = Envelope::new(ExchangeName::default_exchange(), key, "doctor".to_owned());
    let sent = transport.publish(Arc::new(envelope)).await;
    let taken = match sent {
        Ok(Confirmation::Routed) => transport.get(&name).await,
        Ok(Confirmation::Unroutable) => Ok(None),
        Err(error) => Err(error),
    };
    let arrived = match taken {
        // It is not settled: it goes with its queue.
        Ok(Some(_)) => Ok(()),
        Ok(None) => {
            Err(Error::new(ErrorKind::Broker, "a message that the broker has confirmed is not there"))
        }
        Err(error) => Err(error),
    };
    let deleted = transport.delete_queue(&name).await;
    arrived.and(deleted)
}

/// What differs between the code and the broker.
async fn topology(provision: &Provision, found: &mut Diagnosis) {
    let drift = match provision.diff().await {
        Ok(drift) => drift,
        Err(error) => return found.error("topology", &error),
    };
    let count = |remedy| drift.changes.iter().filter(|change| change.remedy() == remedy).count() as u64;
    let (missing, different) = (count(Remedy::Declare), count(Remedy::Recreate) + count(Remedy::Owner));
    let left = count(Remedy::Prune);
    if different > 0 {
        found.fail(
            "topology",
            format!("{} declared otherwise than the code says", one_or_many(different)),
            "see which: topology diff",
        );
    }
    if missing > 0 {
        found.warn("topology", format!("{} missing", one_or_many(missing)), "`run` and `setup` declare it");
    }
    if left > 0 {
        found.warn(
            "topology",
            format!("{} left behind by handlers that are gone", one_or_many(left)),
            "see which: topology diff; setup --prune deletes what is empty and unused",
        );
    }
    if missing + different + left == 0 {
        found.ok("topology", "the broker has what the code says");
    }
    if let Some(why) = &drift.unseen {
        found.ok("topology", format!("bindings of others are not seen, as {why}"));
    }
}

fn one_or_many(count: u64) -> String {
    let verb = if count == 1 { "is" } else { "are" };
    format!("{} {verb}", report::count(count, "thing"))
}
