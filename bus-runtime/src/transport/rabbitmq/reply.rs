//! What RabbitMQ and the network say, put into words: kind, cause and way out.
//!
//! The texts were observed on RabbitMQ 3.10.8; other versions may word them otherwise, so everything is parsed leniently and
//! what is not understood is passed on as it is.

use std::io;
use std::time::Duration;

use super::connection::Peer;
use super::tls;
use crate::error::{Error, ErrorKind};

mod refusal;

pub(super) use self::refusal::{Inequivalent, refused, soft_error};

/// What was asked of the broker when it refused.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// Such as "declare queue `mail`".
    pub(super) what: String,
    /// The permission that RabbitMQ wants for it.
    pub(super) permission: &'static str,
}

impl Request {
    pub(super) fn new(what: impl Into<String>, permission: &'static str) -> Self {
        Self { what: what.into(), permission }
    }
}

/// An operation on a connection that stood.
pub(super) fn failed(error: &lapin::Error, request: &Request, peer: &Peer) -> Error {
    let what = &request.what;
    match error.kind() {
        lapin::ErrorKind::ProtocolError(reply) => {
            refused(reply.get_id(), reply.get_message().as_str(), request, peer)
        }
        lapin::ErrorKind::ChannelsLimitReached => Error::new(
            ErrorKind::Broker,
            format!("cannot {what}: RabbitMQ at {} has no channel left", peer.host),
        )
        .with_help("raise `channel_max` in rabbitmq.conf, or run fewer handlers in one process"),
        _ => Error::new(ErrorKind::Disconnected, format!("cannot {what}: {}", lost_words(error, peer)))
            .with_source(error.clone()),
    }
}

/// The connection or channel that a consumer stood on is gone.
pub(super) fn lost(error: &lapin::Error, request: &Request, peer: &Peer) -> Error {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(_) => failed(error, request, peer),
        _ => Error::new(ErrorKind::Disconnected, lost_words(error, peer)).with_source(error.clone()),
    }
}

fn lost_words(error: &lapin::Error, peer: &Peer) -> String {
    let host = &peer.host;
    match error.kind() {
        lapin::ErrorKind::MissingHeartbeatError => {
            format!("RabbitMQ at {host} has not been heard for too long")
        }
        lapin::ErrorKind::ParsingError(_) => {
            format!("RabbitMQ at {host} sent a frame that cannot be read")
        }
        _ => format!("the connection to RabbitMQ at {host} is lost"),
    }
}

/// An operation did not end in time.
pub(super) fn timed_out(what: &str, after: Duration, peer: &Peer) -> Error {
    Error::new(
        ErrorKind::TimedOut,
        format!("RabbitMQ at {} did not {what} within {} s", peer.host, after.as_secs_f32()),
    )
    .with_help("look for a memory or disk alarm and for queues without a leader: rabbitmq-diagnostics alarms")
}

/// Connecting failed before or in the handshake.
pub(super) fn no_connection(error: &lapin::Error, peer: &Peer) -> Error {
    match error.kind() {
        lapin::ErrorKind::IOError(io) => no_socket(io, peer),
        lapin::ErrorKind::ProtocolError(reply) => {
            let request = Request::new("connect", "");
            refused(reply.get_id(), reply.get_message().as_str(), &request, peer)
        }
        lapin::ErrorKind::InvalidProtocolVersion(_) | lapin::ErrorKind::ParsingError(_) => {
            not_rabbitmq(peer).with_source(error.clone())
        }
        _ => Error::new(ErrorKind::Connect, format!("cannot connect to RabbitMQ at {}", peer.host))
            .with_source(error.clone()),
    }
}

/// There is no TCP connection, or it broke during the handshake.
pub(super) fn no_socket(error: &io::Error, peer: &Peer) -> Error {
    if let Some(error) = tls::in_words(error, &peer.host) {
        return error;
    }
    let (cause, help) = match error.kind() {
        io::ErrorKind::ConnectionRefused => ("connection refused", RUNNING),
        io::ErrorKind::TimedOut => {
            ("no answer", "check the address, and the firewall between here and there")
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            ("unreachable", "check the address and the route to it")
        }
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => {
            return not_rabbitmq(peer).with_source(io::Error::from(error.kind()));
        }
        _ => ("see the cause", RUNNING),
    };
    Error::new(
        ErrorKind::Connect,
        format!("cannot reach the broker at {} as user `{}` ({cause})", peer.host, peer.user),
    )
    .with_help(help)
    .with_source(io::Error::new(error.kind(), error.to_string()))
}

const RUNNING: &str = "is RabbitMQ running? docker run -p 5672:5672 rabbitmq:4";

fn not_rabbitmq(peer: &Peer) -> Error {
    Error::new(
        ErrorKind::Connect,
        format!("the server at {} ended the AMQP handshake with user `{}`", peer.host, peer.user),
    )
    .with_help("is it RabbitMQ, and is this its AMQP port? 5672 speaks AMQP, 15672 is the management page, 5671 is TLS")
}

/// With TLS 1.3 a client knows only afterwards that its certificate is refused, and the reason may be lost with the connection.
pub(super) fn hung_up(peer: &Peer) -> Error {
    Error::new(
        ErrorKind::Tls,
        format!("the server at {} ended the connection right after the TLS handshake", peer.host),
    )
    .with_help(
        "servers do so that want a client certificate, or refuse the one they got; their log says why: \
         `?certfile=..&keyfile=..` in the broker URL, or BUS_TLS_CERT and BUS_TLS_KEY",
    )
}

/// We spoke plain text to a port for TLS.
pub(super) fn speaks_tls(peer: &Peer) -> Error {
    Error::new(
        ErrorKind::Tls,
        format!("the server at {} speaks TLS, and the broker URL asks for plain text", peer.host),
    )
    .with_help(format!("write `amqps://{}`", peer.host))
}

/// A host name has no address.
pub(super) fn no_address(error: &io::Error, peer: &Peer) -> Error {
    Error::new(
        ErrorKind::NameResolution,
        format!("cannot resolve the broker's host name `{}`", peer.host.name),
    )
    .with_help("check the spelling, and the DNS or the hosts file of this machine")
    .with_source(io::Error::new(error.kind(), error.to_string()))
}

/// The peer took the connection and said nothing.
pub(super) fn silent(after: Duration, peer: &Peer) -> Error {
    Error::new(
        ErrorKind::Connect,
        format!(
            "the broker at {} does not answer user `{}` within {} s",
            peer.host,
            peer.user,
            after.as_secs_f32()
        ),
    )
    .with_help("is it RabbitMQ, and is this its AMQP port? It may also still be starting")
}

/// The transport is closed for good.
pub(super) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the connection to RabbitMQ is closed: the bus is shut down")
}
