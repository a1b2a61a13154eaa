//! Exchanges, queues and bindings: declared, looked at, removed.

use std::time::Duration;

use lapin::Channel;
use lapin::options::{
    ExchangeBindOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, ExchangeUnbindOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::FieldTable;
use tokio::time::timeout;

use super::connection::{Live, REQUEST_TIMEOUT};
use super::convert::{short, to_table};
use super::reply::{self, Request};
use crate::error::{Error, ErrorKind};
use crate::names::{ExchangeName, QueueName};
use crate::topology::{Binding, Destination, Exchange, ExchangeKind, Queue, Topology};
use crate::transport::QueueState;

/// Declares exchanges, then queues, then bindings, on a channel of its own: a refusal ends the channel.
///
/// # Errors
/// The first refusal.
pub(super) async fn declare(live: &Live, topology: &Topology) -> Result<(), Error> {
    let channel = live.channel().await?;
    for exchange in &topology.exchanges {
        declare_exchange(live, &channel, exchange).await?;
    }
    for queue in &topology.queues {
        declare_queue(live, &channel, queue).await?;
    }
    for binding in &topology.bindings {
        bind(live, &channel, binding).await?;
    }
    Ok(())
}

async fn declare_exchange(live: &Live, channel: &Channel, exchange: &Exchange) -> Result<(), Error> {
    let options = ExchangeDeclareOptions {
        durable: exchange.durable,
        auto_delete: exchange.auto_delete,
        ..ExchangeDeclareOptions::default()
    };
    let kind = match exchange.kind {
        ExchangeKind::Topic => lapin::ExchangeKind::Topic,
        ExchangeKind::Direct => lapin::ExchangeKind::Direct,
        ExchangeKind::Fanout => lapin::ExchangeKind::Fanout,
    };
    let request = Request::new(format!("declare exchange `{}`", exchange.name), "configure");
    let name = short(&exchange.name, "name of an exchange")?;
    ask(live, &request, channel.exchange_declare(name, kind, options, FieldTable::default())).await
}

async fn declare_queue(live: &Live, channel: &Channel, queue: &Queue) -> Result<(), Error> {
    if queue.name.is_empty() {
        return Err(Error::new(ErrorKind::InvalidName, "a queue needs a name"));
    }
    let options = QueueDeclareOptions {
        durable: queue.durable,
        exclusive: queue.exclusive,
        auto_delete: queue.auto_delete,
        ..QueueDeclareOptions::default()
    };
    let request = Request::new(format!("declare queue `{}`", queue.name), "configure");
    let arguments = to_table(&queue.arguments.to_table())?;
    let name = short(&queue.name, "name of a queue")?;
    ask(live, &request, channel.queue_declare(name, options, arguments)).await.map(drop)
}

async fn bind(live: &Live, channel: &Channel, binding: &Binding) -> Result<(), Error> {
    let Binding { exchange, destination, key } = binding;
    let source = short(exchange, "name of an exchange")?;
    let key = short(key.as_str(), "binding key")?;
    let arguments = FieldTable::default();
    match destination {
        Destination::Queue(queue) => {
            let request =
                Request::new(format!("bind queue `{queue}` to exchange `{exchange}`"), "write or read");
            let queue = short(queue, "name of a queue")?;
            let bound = channel.queue_bind(queue, source, key, QueueBindOptions::default(), arguments);
            ask(live, &request, bound).await
        }
        Destination::Exchange(other) => {
            let request =
                Request::new(format!("bind exchange `{other}` to exchange `{exchange}`"), "write or read");
            let other = short(other, "name of an exchange")?;
            let bound = channel.exchange_bind(other, source, key, ExchangeBindOptions::default(), arguments);
            ask(live, &request, bound).await
        }
    }
}

/// Removes a binding; RabbitMQ does not mind when there is none, but both ends must exist.
///
/// # Errors
/// What the broker says.
pub(super) async fn unbind(live: &Live, binding: &Binding) -> Result<(), Error> {
    let Binding { exchange, destination, key } = binding;
    let channel = live.channel().await?;
    let source = short(exchange, "name of an exchange")?;
    let key = short(key.as_str(), "binding key")?;
    let request = Request::new(format!("remove a binding of exchange `{exchange}`"), "write or read");
    let removed = match destination {
        Destination::Queue(queue) => {
            let queue = short(queue, "name of a queue")?;
            ask(live, &request, channel.queue_unbind(queue, source, key, FieldTable::default())).await
        }
        Destination::Exchange(other) => {
            let other = short(other, "name of an exchange")?;
            let options = ExchangeUnbindOptions::default();
            ask(live, &request, channel.exchange_unbind(other, source, key, options, FieldTable::default()))
                .await
        }
    };
    found(removed).map(drop)
}

/// Looks at a queue; `None` when there is none.
///
/// # Errors
/// What the broker says.
pub(super) async fn inspect(live: &Live, queue: &QueueName) -> Result<Option<QueueState>, Error> {
    let channel = live.channel().await?;
    let request = Request::new(format!("look at queue `{queue}`"), "configure");
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let name = short(queue, "name of a queue")?;
    let seen = found(ask(live, &request, channel.queue_declare(name, options, FieldTable::default())).await)?;
    Ok(seen.map(|seen| QueueState { ready: seen.message_count().into(), consumers: seen.consumer_count() }))
}

/// Deletes the ready messages of a queue.
///
/// # Errors
/// What the broker says.
pub(super) async fn purge(live: &Live, queue: &QueueName) -> Result<u64, Error> {
    let channel = live.channel().await?;
    let request = Request::new(format!("purge queue `{queue}`"), "read");
    let name = short(queue, "name of a queue")?;
    ask(live, &request, channel.queue_purge(name, QueuePurgeOptions::default())).await.map(u64::from)
}

/// Deletes a queue.
///
/// # Errors
/// What the broker says.
pub(super) async fn delete_queue(live: &Live, queue: &QueueName) -> Result<(), Error> {
    let channel = live.channel().await?;
    let request = Request::new(format!("delete queue `{queue}`"), "configure");
    let name = short(queue, "name of a queue")?;
    found(ask(live, &request, channel.queue_delete(name, QueueDeleteOptions::default())).await).map(drop)
}

/// Deletes an exchange.
///
/// # Errors
/// What the broker says.
pub(super) async fn delete_exchange(live: &Live, exchange: &ExchangeName) -> Result<(), Error> {
    let channel = live.channel().await?;
    let request = Request::new(format!("delete exchange `{exchange}`"), "configure");
    let name = short(exchange, "name of an exchange")?;
    found(ask(live, &request, channel.exchange_delete(name, ExchangeDeleteOptions::default())).await)
        .map(drop)
}

/// Puts a request to the broker under the time limit that every request has.
///
/// # Errors
/// What the broker says, or that it does not answer.
pub(super) async fn ask<T>(
    live: &Live,
    request: &Request,
    answer: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Error> {
    ask_within(live, request, REQUEST_TIMEOUT, answer).await
}

async fn ask_within<T>(
    live: &Live,
    request: &Request,
    limit: Duration,
    answer: impl Future<Output = lapin::Result<T>>,
) -> Result<T, Error> {
    match timeout(limit, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(reply::failed(&error, request, &live.peer)),
        Err(_) => Err(reply::timed_out(&request.what, limit, &live.peer)),
    }
}

fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
