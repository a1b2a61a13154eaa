//! Answers to commands in the place of their handlers: of one in this app, or of a program that is not there.

use std::future::poll_fn;
use std::sync::Arc;

use serde::Serialize;

use super::core::Core;
use super::script::Stub;
use crate::binding_key::BindingKey;
use crate::command;
use crate::error::{BoxError, Error, ErrorKind};
use crate::extract;
use crate::hub::Hub;
use crate::message::{Command, Message};
use crate::names::QueueName;
use crate::outcome::{IntoOutcomeOf, Outcome, Rejection};
use crate::seam;
use crate::topology::{Binding, Destination, Exchange, Queue, QueueType, Topology};
use crate::transport::{ConsumeOptions, Consumer, Incoming, Verdict};

/// How many commands a stub fetches ahead.
const PREFETCH: u16 = 16;

/// What answers a command, from its envelope.
type Answering = Arc<dyn Fn(&crate::envelope::Envelope) -> Result<Outcome, Rejection> + Send + Sync>;

/// Answers the commands of a type from now on.
pub(super) async fn answer<M, R>(
    core: &Core,
    answer: impl Fn(M) -> Result<R, BoxError> + Send + Sync + 'static,
) -> Result<(), Error>
where
    M: Message<Kind = Command<R>>,
    R: Serialize + 'static,
{
    let answering: Answering = Arc::new(move |envelope| {
        extract::decode::<M>(envelope).map(|message| answer(message).into_outcome_of())
    });
    let handlers = core.bus.plan().handlers.iter();
    let own: Vec<_> = handlers
        .filter(|entry| entry.is_command() && entry.message.is_some_and(|message| message.topic == M::TOPIC))
        .map(|entry| (entry.identity)())
        .collect();
    if own.is_empty() {
        return stand_in::<M>(&core.bus.running().hub, answering).await;
    }
    for handler in own {
        let answering = Arc::clone(&answering);
        let stub: Stub = Arc::new(move |delivery| answering(delivery.envelope()));
        core.journal.script().stub(handler, stub);
    }
    Ok(())
}

/// Consumes the commands, as the program would that handles them.
async fn stand_in<M: Message>(hub: &Arc<Hub>, answering: Answering) -> Result<(), Error> {
    let exchange = hub.settings.exchange(M::EXCHANGE.unwrap_or(&hub.settings.messages))?;
    let name = QueueName::new(format!("{}bus.stub.{}", hub.settings.prefix, M::TOPIC))?;
    let mut queue = Queue::durable(name.clone(), QueueType::Classic);
    queue.auto_delete = true;
    let binding = Binding {
        exchange: exchange.clone(),
        destination: Destination::Queue(name.clone()),
        key: BindingKey::parse(M::TOPIC)
            .map_err(|error| Error::new(ErrorKind::InvalidName, error.to_string()))?,
    };
    let topology =
        Topology { exchanges: vec![Exchange::topic(exchange)], queues: vec![queue], bindings: vec![binding] };
    hub.transport.declare(&topology).await?;
    let options = ConsumeOptions { prefetch: PREFETCH, tag: format!("{}.stub", hub.worker) };
    let consumer = hub.transport.consume(&name, options).await?;
    seam::spawn("stub", run(Arc::clone(hub), consumer, answering));
    Ok(())
}

async fn run(hub: Arc<Hub>, mut consumer: Box<dyn Consumer>, answering: Answering) {
    let mut finished = hub.shutdown_finished();
    loop {
        let next = tokio::select! {
            biased;
            next = poll_fn(|cx| consumer.poll_next(cx)) => next,
            _ = finished.wait_for(|finished| *finished) => return,
        };
        match next {
            Some(Ok(incoming)) => reply(&hub, incoming, &answering).await,
            Some(Err(error)) => tracing::warn!(%error, "a stub was interrupted"),
            None => return,
        }
    }
}

async fn reply(hub: &Hub, incoming: Incoming, answering: &Answering) {
    let Incoming { envelope, settler, .. } = incoming;
    let outcome = answering(&envelope).unwrap_or_else(Outcome::from);
    let answer = command::answer(&outcome);
    if let Some(reply) = command::reply(&envelope, &answer)
        && let Err(error) = hub.send(Arc::new(reply)).await
    {
        tracing::warn!(%error, "the reply of a stub is lost");
    }
    // What is not acknowledged comes again, with the connection that was lost.
    let _ = settler.settle(Verdict::Ack);
}
