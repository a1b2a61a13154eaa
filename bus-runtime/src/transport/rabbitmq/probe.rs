//! Looking at queues and exchanges without touching them, as far as AMQP 0-9-1 allows.
//!
//! AMQP tells nobody the arguments of a queue. It does refuse a declaration with other arguments, and its text names the
//! argument and both values; so a declaration is repeated, each time with one more value as the broker has it, until it is
//! not refused any more. What was changed on the way is the difference.

use lapin::options::{
    ExchangeDeclareOptions, ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;

use super::connection::Live;
use super::convert::{short, to_table};
use super::declare::{ask, delete_queue, inspect};
use super::reply::{Inequivalent, Request, soft_error};
use crate::envelope::Headers;
use crate::error::{Error, ErrorKind};
use crate::names::{ExchangeName, QueueName};
use crate::topology::diff::Difference;
use crate::topology::{Exchange, ExchangeKind, Queue, QueueType};
use crate::transport::Deletion;

/// Refusals of one declaration after which the broker is not believed any more: a queue has some 20 arguments.
const PROBES_MAX: usize = 32;

/// How a queue differs from a declaration; `None` when there is no such queue.
///
/// # Errors
/// What the broker says.
pub(super) async fn compare_queue(live: &Live, wanted: &Queue) -> Result<Option<Vec<Difference>>, Error> {
    if inspect(live, &wanted.name).await?.is_none() {
        return Ok(None);
    }
    let mut probe = QueueProbe::new(wanted);
    let mut differences = Vec::new();
    for _ in 0..PROBES_MAX {
        match probe.declare(live).await? {
            Answer::Same => return Ok(Some(differences)),
            Answer::Gone => return Ok(None),
            Answer::Differs(found) if probe.is_tripwire(&found.argument) => probe.tripwire = None,
            Answer::Differs(found) => {
                probe.adopt(&found);
                differences.push(found.into_difference());
            }
        }
    }
    Err(Error::new(ErrorKind::Broker, format!("RabbitMQ keeps refusing to compare queue `{}`", wanted.name)))
}

/// What a declaration was answered with.
enum Answer {
    Same,
    Differs(Inequivalent),
    Gone,
}

/// A declaration that comes closer to what the broker has with every refusal.
struct QueueProbe<'q> {
    name: &'q QueueName,
    options: QueueDeclareOptions,
    arguments: Headers,
    /// An argument that existing queues of this type are not asked for, and with which no new one can be made: should the
    /// queue be deleted between the look and the probe, the probe does not bring it back.
    tripwire: Option<&'static str>,
}

impl<'q> QueueProbe<'q> {
    fn new(wanted: &'q Queue) -> Self {
        let options = QueueDeclareOptions {
            durable: wanted.durable,
            exclusive: wanted.exclusive,
            auto_delete: wanted.auto_delete,
            ..QueueDeclareOptions::default()
        };
        let tripwire = match wanted.arguments.queue_type {
            QueueType::Quorum => "x-max-priority",
            QueueType::Classic => "x-delivery-limit",
        };
        Self { name: &wanted.name, options, arguments: wanted.arguments.to_table(), tripwire: Some(tripwire) }
    }

    fn is_tripwire(&self, argument: &str) -> bool {
        self.tripwire == Some(argument)
    }

    async fn declare(&self, live: &Live) -> Result<Answer, Error> {
        let mut arguments = self.arguments.clone();
        if let Some(tripwire) = self.tripwire {
            arguments.set(tripwire, 1);
        }
        // A refusal ends the channel.
        let channel = live.channel().await?;
        let name = short(self.name, "name of a queue")?;
        let request = Request::new(format!("compare queue `{}`", self.name), "configure");
        let declaring = channel.queue_declare(name, self.options, to_table(&arguments)?);
        let mut refused = None;
        let declared = ask(live, &request, async {
            let declared = declaring.await;
            refused =
                declared.as_ref().err().and_then(soft_error).map(|(code, text)| (code, text.to_owned()));
            declared
        });
        match (declared.await, refused) {
            (Ok(_), _) => Ok(Answer::Same),
            (Err(error), Some((406, text))) => match Inequivalent::parse(&text) {
                Some(found) => Ok(Answer::Differs(found)),
                None if self.tripwire.is_some_and(|tripwire| text.contains(tripwire)) => Ok(Answer::Gone),
                None => Err(error),
            },
            (Err(error), _) => Err(error),
        }
    }

    /// Takes over the value that the broker has.
    fn adopt(&mut self, found: &Inequivalent) {
        let flag = found.current.as_deref() == Some("true");
        match found.argument.as_str() {
            "durable" => self.options.durable = flag,
            "auto_delete" => self.options.auto_delete = flag,
            "exclusive" => self.options.exclusive = flag,
            argument => match found.current_value(self.arguments.get(argument)) {
                Some(value) => self.arguments.set(argument.to_owned(), value),
                None => {
                    self.arguments.remove(argument);
                }
            },
        }
    }
}

/// Whether there is an exchange of this name.
///
/// # Errors
/// What the broker says.
pub(super) async fn has_exchange(live: &Live, name: &ExchangeName) -> Result<bool, Error> {
    let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    match declare_exchange(live, name, ExchangeKind::Topic.as_str(), passive).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// How an exchange differs from a declaration; `None` when there is no such exchange.
///
/// # Errors
/// What the broker says.
pub(super) async fn compare_exchange(
    live: &Live,
    wanted: &Exchange,
) -> Result<Option<Vec<Difference>>, Error> {
    let mut options = ExchangeDeclareOptions {
        passive: true,
        durable: wanted.durable,
        auto_delete: wanted.auto_delete,
        ..ExchangeDeclareOptions::default()
    };
    let mut kind = wanted.kind.as_str().to_owned();
    match declare_exchange(live, &wanted.name, &kind, options).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(_) => options.passive = false,
    }
    let mut differences = Vec::new();
    for _ in 0..PROBES_MAX {
        let Some(found) = declare_exchange(live, &wanted.name, &kind, options).await? else {
            return Ok(Some(differences));
        };
        let current = found.current.clone().unwrap_or_default();
        match found.argument.as_str() {
            "type" => kind = current,
            "durable" => options.durable = current == "true",
            "auto_delete" => options.auto_delete = current == "true",
            "internal" => options.internal = current == "true",
            // An argument such as `alternate-exchange`, which Bus never declares: nothing more can be found out.
            _ => {
                differences.push(found.into_difference());
                return Ok(Some(differences));
            }
        }
        differences.push(found.into_difference());
    }
    Err(Error::new(
        ErrorKind::Broker,
        format!("RabbitMQ keeps refusing to compare exchange `{}`", wanted.name),
    ))
}

/// Declares an exchange, and returns in what it differs first.
async fn declare_exchange(
    live: &Live,
    name: &ExchangeName,
    kind: &str,
    options: ExchangeDeclareOptions,
) -> Result<Option<Inequivalent>, Error> {
    let kind = match kind {
        kind if kind == ExchangeKind::Topic.as_str() => lapin::ExchangeKind::Topic,
        kind if kind == ExchangeKind::Direct.as_str() => lapin::ExchangeKind::Direct,
        kind if kind == ExchangeKind::Fanout.as_str() => lapin::ExchangeKind::Fanout,
        other => lapin::ExchangeKind::Custom(other.to_owned()),
    };
    let channel = live.channel().await?;
    let request = Request::new(format!("compare exchange `{name}`"), "configure");
    let declaring =
        channel.exchange_declare(short(name, "name of an exchange")?, kind, options, FieldTable::default());
    let mut found = None;
    let declared = ask(live, &request, async {
        let declared = declaring.await;
        found = declared.as_ref().err().and_then(soft_error).and_then(|(_, text)| Inequivalent::parse(text));
        declared
    });
    match (declared.await, found) {
        (Ok(()), _) => Ok(None),
        (Err(_), Some(found)) => Ok(Some(found)),
        (Err(error), None) => Err(error),
    }
}

/// Deletes a queue that is empty and has no consumers. RabbitMQ checks it while it deletes classic queues; for quorum queues
/// it closes the connection when it is asked to.
///
/// # Errors
/// What the broker says.
pub(super) async fn delete_idle_queue(
    live: &Live,
    queue: &QueueName,
    queue_type: QueueType,
) -> Result<Deletion, Error> {
    let Some(state) = inspect(live, queue).await? else { return Ok(Deletion::Done) };
    if let Some(why) = state.hold() {
        return Ok(Deletion::Held(why));
    }
    if queue_type == QueueType::Quorum {
        return delete_queue(live, queue).await.map(|()| Deletion::Done);
    }
    let channel = live.channel().await?;
    let request = Request::new(format!("delete queue `{queue}`"), "configure");
    let options = QueueDeleteOptions { if_unused: true, if_empty: true, ..QueueDeleteOptions::default() };
    let name = short(queue, "name of a queue")?;
    let deleted = ask(live, &request, channel.queue_delete(name, options)).await;
    held(deleted.map(drop), "it was used a moment ago")
}

/// Deletes an exchange that nothing is bound to.
///
/// # Errors
/// What the broker says.
pub(super) async fn delete_unused_exchange(live: &Live, exchange: &ExchangeName) -> Result<Deletion, Error> {
    let channel = live.channel().await?;
    let request = Request::new(format!("delete exchange `{exchange}`"), "configure");
    let name = short(exchange, "name of an exchange")?;
    let options = ExchangeDeleteOptions { if_unused: true, ..ExchangeDeleteOptions::default() };
    held(ask(live, &request, channel.exchange_delete(name, options)).await, "others are bound to it")
}

/// 406 is RabbitMQ's answer to the deletion of what is in use.
fn held(deleted: Result<(), Error>, why: &str) -> Result<Deletion, Error> {
    match deleted {
        Ok(()) => Ok(Deletion::Done),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Deletion::Done),
        Err(error) if error.kind() == ErrorKind::QueueOption => Ok(Deletion::Held(why.to_owned())),
        Err(error) => Err(error),
    }
}
