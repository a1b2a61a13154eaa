//! How queues and helper exchanges are called: stable when unrelated handlers come and go.

use std::time::Duration;

use crate::error::Error;
use crate::names::{ExchangeName, QueueName};
use crate::registration::HandlerId;

/// Prefix of everything that Bus declares for itself.
pub const OWN_PREFIX: &str = "bus.";

/// The queue that delayed messages with a delay chosen at run time come out of.
pub const DUE_QUEUE: &str = "bus.due";

/// `<crate>.<module>.<fn>.<suffix>`: the queue of a handler that does not name one. A method is `<Type>.<method>`.
pub(crate) fn handler_queue(prefix: &str, id: HandlerId, suffix: &str) -> Result<QueueName, Error> {
    queue_of_path(prefix, &format!("{}::{}", id.module, id.name), suffix)
}

/// The same for the path of a handler as people write it.
pub(crate) fn queue_of_path(prefix: &str, path: &str, suffix: &str) -> Result<QueueName, Error> {
    Ok(QueueName::new(format!("{prefix}{}.{suffix}", path.replace("::", ".")))?)
}

/// `<queue>.dead`: where the dead letters of a queue are.
pub(crate) fn dead_queue(queue: &str) -> Result<QueueName, Error> {
    Ok(QueueName::new(format!("{queue}.dead"))?)
}

/// `bus.delay.<ms>`: the exchange, and the queue of the same name, that hold messages for this long.
pub(crate) fn delay(prefix: &str, delay: Duration) -> String {
    format!("{prefix}{OWN_PREFIX}delay.{}", delay.as_millis())
}

/// `bus.ladder.<level>`: one level of the ladder for delays chosen at run time; it waits 2^level seconds or passes on.
pub(crate) fn ladder(prefix: &str, level: u32) -> String {
    format!("{prefix}{OWN_PREFIX}ladder.{level:02}")
}

/// `bus.session.<hash>`: the routing key by which a session hears of an event, beside the event's own. Of a known length, whatever
/// the session and the topic are.
pub(crate) fn session_key(id: &str, topic: &str) -> String {
    let name = format!("{id}\0{topic}");
    format!("{OWN_PREFIX}session.{}", uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()))
}

/// The queue of a session's handler of a command: there is one in all processes.
pub(crate) fn session_command(prefix: &str, id: &str, topic: &str) -> Result<QueueName, Error> {
    Ok(QueueName::new(format!("{prefix}{}", session_key(id, topic)))?)
}

/// A queue of a session's handler of an event: there may be many. `unique` tells them apart.
pub(crate) fn session_queue(prefix: &str, unique: &str) -> Result<QueueName, Error> {
    Ok(QueueName::new(format!("{prefix}{OWN_PREFIX}session.{unique}"))?)
}

/// Whether Bus declares a queue of this name while it runs, whatever the handlers are: the ladder, answers to commands, the
/// handlers of sessions, and what workers are asked.
pub(crate) fn is_run_time(name: &str) -> bool {
    ["bus.control.", "bus.ladder.", "bus.reply.", "bus.session."]
        .iter()
        .any(|own| name.starts_with(own) || name.contains(&format!(".{own}")))
}

/// Whether a queue of this name holds messages until their time has come, or has just come.
pub(crate) fn holds_delayed(name: &str) -> bool {
    ["bus.delay.", "bus.ladder.", DUE_QUEUE]
        .iter()
        .any(|own| name.starts_with(own) || name.contains(&format!(".{own}")))
}

/// Whether Bus declares a queue or an exchange of this name for delays.
#[cfg(feature = "cli")]
pub(crate) fn is_helper(name: &str) -> bool {
    let after = |own: &str| name.starts_with(own) || name.contains(&format!(".{own}"));
    after("bus.delay.") || after(DUE_QUEUE)
}

/// `bus.topology`: the queue that holds what was declared, one message for each app.
pub(crate) fn marks(prefix: &str) -> String {
    format!("{prefix}{OWN_PREFIX}topology")
}

/// `bus.topology.lock`: the exclusive queue that whoever reads or writes the marks holds.
pub(crate) fn marks_lock(prefix: &str) -> String {
    format!("{prefix}{OWN_PREFIX}topology.lock")
}

/// `bus.due`, where the ladder ends.
pub(crate) fn due(prefix: &str) -> String {
    format!("{prefix}{DUE_QUEUE}")
}

/// `bus.control`: the exchange that workers are asked through. The queues of those who ask and answer are
/// `bus.control.<id>`.
pub(crate) fn control(prefix: &str) -> String {
    format!("{prefix}{OWN_PREFIX}control")
}

/// A name that Bus made itself, of known length.
pub(crate) fn exchange(name: &str) -> Result<ExchangeName, Error> {
    Ok(ExchangeName::new(name)?)
}
