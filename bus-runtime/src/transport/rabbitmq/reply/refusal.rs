//! Reply codes and texts of the broker.

use lapin::protocol::{AMQPErrorKind, AMQPSoftError};

use super::Request;
use crate::envelope::HeaderValue;
use crate::error::{Error, ErrorKind};
use crate::topology::diff::Difference;
use crate::transport::rabbitmq::connection::Peer;

/// The reply code and text, when the broker closed the channel alone.
pub(in crate::transport::rabbitmq) fn soft_error(error: &lapin::Error) -> Option<(u16, &str)> {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(reply) => match reply.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::CONTENTTOOLARGE) | AMQPErrorKind::Hard(_) => None,
            AMQPErrorKind::Soft(_) => Some((reply.get_id(), reply.get_message().as_str())),
        },
        _ => None,
    }
}

/// The broker answered a request with this reply code and text.
pub(in crate::transport::rabbitmq) fn refused(
    code: u16,
    text: &str,
    request: &Request,
    peer: &Peer,
) -> Error {
    let Request { what, .. } = request;
    match code {
        403 => access_refused(text, request, peer),
        404 => Error::new(ErrorKind::NotFound, format!("cannot {what}: {}", missing(text)))
            .with_help("declare it first: is the name right, and was it deleted?"),
        405 if text.contains("single active consumer") => Error::new(
            ErrorKind::ExclusiveQueue,
            format!("cannot {what}: a quorum queue with a single active consumer gives messages to it alone"),
        )
        .with_help("consume the queue instead"),
        405 => Error::new(
            ErrorKind::ExclusiveQueue,
            format!("cannot {what}: another connection owns this exclusive queue"),
        )
        .with_help("stop the other program, or give the queue another name"),
        406 => precondition_failed(text, request, peer),
        320 => Error::new(
            ErrorKind::Disconnected,
            format!("RabbitMQ at {} closed the connection: {}", peer.host, words(text)),
        ),
        530 | 402 if text.contains("vhost") => no_vhost(text, peer),
        _ => unknown(code, text, what, peer),
    }
}

fn access_refused(text: &str, request: &Request, peer: &Peer) -> Error {
    let Peer { host, user, vhost, .. } = peer;
    let Request { what, permission } = request;
    if text.contains("Login was refused") || text.contains("login refused") || permission.is_empty() {
        if peer.external {
            return Error::new(
                ErrorKind::AccessRefused,
                format!("RabbitMQ at {host} refused the login as the client certificate"),
            )
            .with_help("enable the plugin rabbitmq_auth_mechanism_ssl and allow EXTERNAL (auth_mechanisms in rabbitmq.conf), and create a user that is called as the certificate's subject is");
        }
        let error = Error::new(ErrorKind::AccessRefused, format!("RabbitMQ at {host} refused user `{user}`"));
        return match user.as_str() {
            "guest" => error.with_help("check the password; `guest` may only log in from localhost: elsewhere create a user of your own"),
            _ => error.with_help(
                "check user and password in the broker URL; special characters are written as %XX",
            ),
        };
    }
    if text.contains("exclusive use") {
        return Error::new(ErrorKind::ExclusiveQueue, format!("cannot {what}: {}", words(text)))
            .with_help("stop the consumer that has the queue to itself");
    }
    if text.contains("reserved prefix") {
        return Error::new(ErrorKind::InvalidName, format!("cannot {what}: {}", words(text)))
            .with_help("names that begin with `amq.` belong to the broker: choose another one");
    }
    if text.contains("default exchange") || text.contains("internal exchange") {
        return Error::new(ErrorKind::InvalidName, format!("cannot {what}: {}", words(text)));
    }
    let grant = match text.contains("access to topic") {
        true => format!("rabbitmqctl set_topic_permissions -p {vhost} {user} <exchange> \".*\" \".*\""),
        false => format!("rabbitmqctl set_permissions -p {vhost} {user} \".*\" \".*\" \".*\""),
    };
    Error::new(
        ErrorKind::Permission,
        format!("cannot {what}: user `{user}` lacks the {permission} permission ({})", words(text)),
    )
    .with_help(grant)
}

fn precondition_failed(text: &str, request: &Request, peer: &Peer) -> Error {
    let Request { what, .. } = request;
    if let Some(mismatch) = Inequivalent::parse(text) {
        return mismatch.into_error();
    }
    if text.contains("delivery acknowledgement") && text.contains("timed out") {
        let limit = between(text, "Timeout value used: ", " ms").and_then(|ms| ms.parse::<u64>().ok());
        let limit = limit.map_or_else(|| "too long".to_owned(), |ms| format!("longer than {} s", ms / 1000));
        return Error::new(
            ErrorKind::AckTimeout,
            format!("RabbitMQ closed the channel: a message was kept unacknowledged for {limit}"),
        )
        .with_help(
            "set a `timeout` below the broker's consumer_timeout, lower `prefetch`, or raise it by a policy",
        );
    }
    if text.contains("unknown delivery tag") {
        return Error::new(
            ErrorKind::UnknownDelivery,
            format!("a message was settled twice ({})", words(text)),
        );
    }
    if text.contains("message size") && text.contains("larger than") {
        return Error::new(ErrorKind::TooLarge, format!("cannot {what}: {}", words(text)))
            .with_help("raise `max_message_size` in rabbitmq.conf, or send a reference to the data");
    }
    if text.contains("invalid arg") || text.contains("invalid property") || request.permission == "configure"
    {
        return Error::new(
            ErrorKind::QueueOption,
            format!("the broker rejects an option, so Bus cannot {what}: {}", words(text)),
        );
    }
    unknown(406, text, what, peer)
}

/// In what a queue or exchange differs from its declaration, as RabbitMQ words it:
/// `inequivalent arg 'x' for queue 'q' in vhost '/': received A but current is B`.
#[derive(Debug, PartialEq)]
pub(in crate::transport::rabbitmq) struct Inequivalent {
    /// `queue` or `exchange`.
    pub(in crate::transport::rabbitmq) what: String,
    pub(in crate::transport::rabbitmq) name: String,
    pub(in crate::transport::rabbitmq) argument: String,
    pub(in crate::transport::rabbitmq) wanted: Option<String>,
    pub(in crate::transport::rabbitmq) current: Option<String>,
    /// The type of the current value in RabbitMQ's words, when it names one.
    current_type: Option<String>,
}

impl Inequivalent {
    pub(in crate::transport::rabbitmq) fn parse(text: &str) -> Option<Self> {
        let argument = between(text, "inequivalent arg '", "'")?;
        let (_, rest) = text.split_once("' for ")?;
        let (what, rest) = rest.split_once(" '")?;
        let (name, _) = rest.split_once("' in vhost")?;
        let (_, values) = text.split_once(": received ")?;
        let (wanted, current) = values.split_once(" but current is ")?;
        Some(Self {
            what: what.to_owned(),
            name: name.to_owned(),
            argument: argument.to_owned(),
            wanted: value(wanted),
            current: value(current),
            current_type: between(current, "of type '", "'").map(str::to_owned),
        })
    }

    /// The broker's value, to declare it in turn. RabbitMQ names its type only when that is not the type of ours.
    pub(in crate::transport::rabbitmq) fn current_value(
        &self,
        ours: Option<&HeaderValue>,
    ) -> Option<HeaderValue> {
        let text = self.current.clone()?;
        let (is_text, is_bool) = match (self.current_type.as_deref(), ours) {
            (Some(kind), _) => (kind == "longstr", kind == "bool"),
            (None, ours) => {
                (matches!(ours, Some(HeaderValue::Text(_))), matches!(ours, Some(HeaderValue::Bool(_))))
            }
        };
        Some(match text.parse::<i64>() {
            _ if is_bool => HeaderValue::Bool(text == "true"),
            Ok(number) if !is_text => HeaderValue::Int(number),
            _ => HeaderValue::Text(text.into()),
        })
    }

    pub(in crate::transport::rabbitmq) fn into_difference(self) -> Difference {
        let Self { argument, wanted, current, .. } = self;
        Difference { argument, wanted, current }
    }

    fn into_error(self) -> Error {
        let (what, name) = (self.what.clone(), self.name.clone());
        Error::new(
            ErrorKind::Mismatch,
            format!("{what} `{name}` exists with other arguments: {}", self.into_difference()),
        )
        .with_help(format!(
            "RabbitMQ cannot change it in place: use the value that the broker has, another name, or delete the {what} first"
        ))
    }
}

/// `the value '5' of type 'signedint'`, `'true'` or `none`, shortened to what matters.
fn value(text: &str) -> Option<String> {
    between(text, "'", "'").map(str::to_owned)
}

fn no_vhost(text: &str, peer: &Peer) -> Error {
    let Peer { host, user, vhost, .. } = peer;
    if text.contains("refused for user") || text.contains("limit") {
        return Error::new(ErrorKind::Vhost, format!("user `{user}` may not use vhost `{vhost}` on {host}"))
            .with_help(format!("rabbitmqctl set_permissions -p {vhost} {user} \".*\" \".*\" \".*\""))
            .with_source(words(text));
    }
    let implied = if peer.vhost_is_implied { " (the broker URL names none)" } else { "" };
    Error::new(
        ErrorKind::Vhost,
        format!("vhost `{vhost}` does not exist on {host}{implied}, asked for by user `{user}`"),
    )
    .with_help(format!(
        "create it: rabbitmqctl add_vhost {vhost}; the default vhost is `/`: amqp://host or amqp://host/%2f"
    ))
}

fn unknown(code: u16, text: &str, what: &str, peer: &Peer) -> Error {
    Error::new(
        ErrorKind::Broker,
        format!("RabbitMQ at {} answered {code} to the request to {what}: {}", peer.host, words(text)),
    )
}

/// `NOT_FOUND - no queue 'q' in vhost '/'` as "there is no queue `q`".
fn missing(text: &str) -> String {
    match (between(text, "no queue '", "'"), between(text, "no exchange '", "'")) {
        (Some(queue), _) => format!("there is no queue `{queue}`"),
        (_, Some(exchange)) => format!("there is no exchange `{exchange}`"),
        _ => words(text),
    }
}

/// The text without its leading `NAME_OF_CODE - `.
fn words(text: &str) -> String {
    match text.split_once(" - ") {
        Some((name, words)) if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') => words.to_owned(),
        _ => text.to_owned(),
    }
}

pub(in crate::transport::rabbitmq) fn between<'a>(
    text: &'a str,
    before: &str,
    after: &str,
) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

#[cfg(test)]
mod tests;
