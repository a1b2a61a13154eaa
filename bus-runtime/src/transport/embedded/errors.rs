//! The texts of all errors of the broker.

use crate::error::{Error, ErrorKind};
use crate::names::{ExchangeName, QueueName};
use crate::topology::diff::Difference;

pub(super) fn no_queue(name: &QueueName) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no queue `{name}`"))
}

pub(super) fn no_exchange(name: &ExchangeName) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no exchange `{name}`"))
}

pub(super) fn queue_deleted(name: &QueueName) -> Error {
    Error::new(ErrorKind::NotFound, format!("queue `{name}` was deleted under its consumer"))
        .with_help("the consumer comes back with the queue, which it declares anew unless somebody else does")
}

pub(super) fn holder_gone() -> Error {
    let text = "the consumer was closed or its queue was deleted before the message was settled";
    Error::new(ErrorKind::Disconnected, text)
}

pub(super) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "this connection to the embedded broker is closed")
        .with_help("clone another handle of the broker: each clone is a connection of its own")
}

pub(super) fn queue_is_full(name: &QueueName) -> Error {
    Error::new(ErrorKind::Nacked, format!("queue `{name}` is full and refused the message")).with_help(
        "it was declared with `x-overflow = reject-publish`: publish less, consume faster or raise its limit",
    )
}

pub(super) fn no_list(header: &str) -> Error {
    Error::new(ErrorKind::InvalidName, format!("the header `{header}` holds routing keys, and is no list"))
        .with_help("give it a list of texts, or choose another name for a header of your own")
}

pub(super) fn broker_is_full(load: &str) -> Error {
    Error::new(ErrorKind::Nacked, format!("the embedded broker {load}, and no space came free in time"))
        .with_help("consume faster, or raise the limits with `EmbeddedBroker::builder()`")
}

pub(super) fn too_large(bytes: u64, max: u64) -> Error {
    let text = format!("the message has {bytes} bytes, but the embedded broker takes at most {max}");
    Error::new(ErrorKind::TooLarge, text)
}

pub(super) fn locked(name: &QueueName) -> Error {
    Error::new(ErrorKind::ExclusiveQueue, format!("queue `{name}` is exclusive to another connection"))
}

pub(super) fn single_active(name: &QueueName) -> Error {
    let text = format!(
        "cannot get from queue `{name}`: a quorum queue with a single active consumer gives messages to it alone"
    );
    Error::new(ErrorKind::ExclusiveQueue, text).with_help("consume the queue instead")
}

pub(super) fn reserved(what: &str, name: &str) -> Error {
    Error::new(ErrorKind::InvalidName, format!("{what} `{name}` has the reserved prefix `amq.`"))
        .with_help("such names belong to the broker: choose another one")
}

pub(super) fn default_exchange() -> Error {
    let text = "the default exchange cannot be declared, bound, unbound or deleted";
    Error::new(ErrorKind::InvalidName, text).with_help(
        "every queue receives what is published to the default exchange with its name as the routing key",
    )
}

pub(super) fn nameless_queue() -> Error {
    Error::new(ErrorKind::InvalidName, "the embedded broker does not choose names for queues")
}

pub(super) fn option(queue: &QueueName, problem: &str) -> Error {
    Error::new(ErrorKind::QueueOption, format!("queue `{queue}`: {problem}"))
}

/// The first of all differences, as RabbitMQ reports it.
pub(super) fn mismatch(what: &str, name: &str, difference: &Difference) -> Error {
    Error::new(ErrorKind::Mismatch, format!("{what} `{name}` exists with other arguments: {difference}"))
        .with_help(format!("declare it as it is, or delete the {what} first; its messages go with it"))
}
