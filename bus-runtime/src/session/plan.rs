//! What a handler of a session needs on the broker, and how it is treated.

use std::any::TypeId;
use std::sync::Arc;

use super::core::SessionCore;
use crate::binding_key::BindingKey;
use crate::delivery::Delivery;
use crate::error::{Error, Place};
use crate::extract;
use crate::message::{Kind, Message, MessageKind, MessageType};
use crate::outcome::IntoOutcomeOf;
use crate::policy::{AckMode, OnError, RetryPolicy, WhenFull};
use crate::registration::{Callee, Closure};
use crate::seam;
use crate::topology::{
    Binding, CapturingKey, Destination, Exchange, HandlerEntry, HandlerKind, Overflow, Queue, QueueEntry,
    QueueType, Topology, naming,
};

/// Messages that may wait for a handler of a session; the oldest makes room. A session that is so far behind is stuck, and nobody
/// else must suffer from it.
const QUEUE_MAX: u64 = 100_000;
/// Events that a handler fetches ahead.
const EVENTS_AHEAD: u16 = 32;

/// A handler of a session before it is declared.
pub(super) struct Planned {
    pub(super) queue: Arc<QueueEntry>,
    pub(super) topology: Topology,
    pub(super) is_of: MessageKind,
}

/// Plans a handler of a message type. One of events is called with one after another, in their order.
pub(super) fn plan<M, F, Fut>(session: &SessionCore, handler: F) -> Result<Planned, Error>
where
    M: Message,
    F: Fn(M) -> Fut + Send + Sync + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: IntoOutcomeOf<M::Kind>,
{
    let handler = Arc::new(handler);
    let call = move |delivery: Delivery| -> crate::transport::BoxFuture<'static, _> {
        let handler = Arc::clone(&handler);
        Box::pin(async move {
            let message: M = extract::decode(delivery.envelope())?;
            Ok(handler(message).await.into_outcome_of())
        })
    };
    plan_of(session, MessageType::of::<M>(), <M::Kind as Kind>::KIND, Closure(Arc::new(call)))
}

fn plan_of(
    session: &SessionCore,
    message: MessageType,
    is_of: MessageKind,
    call: Closure,
) -> Result<Planned, Error> {
    let settings = session.settings();
    let exchange = settings.exchange(message.exchange.unwrap_or(&settings.messages))?;
    let is_command = is_of == MessageKind::Command;
    let name = if is_command {
        naming::session_command(&settings.prefix, session.id(), message.topic)?
    } else {
        naming::session_queue(&settings.prefix, &seam::message_id())?
    };
    let mut declaration = Queue::durable(name.clone(), QueueType::Classic);
    declaration.exclusive = true;
    declaration.arguments.max_length = Some(QUEUE_MAX);
    declaration.arguments.overflow = Some(Overflow::DropHead);
    let key = BindingKey::parse(naming::session_key(session.id(), message.topic))
        .map_err(|error| Error::new(crate::error::ErrorKind::InvalidName, error.to_string()))?;
    let binding = Binding { exchange: exchange.clone(), destination: Destination::Queue(name.clone()), key };
    // A command is sent to the queue itself.
    let (exchanges, bindings) =
        if is_command { (vec![], vec![]) } else { (vec![Exchange::topic(exchange.clone())], vec![binding]) };
    let topology = Topology { exchanges, queues: vec![declaration.clone()], bindings };
    let concurrency = if is_command { settings.concurrency } else { 1 };
    let prefetch = if is_command { settings.concurrency.saturating_mul(2) } else { EVENTS_AHEAD };
    let entry = HandlerEntry {
        name: format!("session::{}", message.topic),
        group: "session".to_owned(),
        kind: HandlerKind::Message(is_of),
        exchange,
        keys: vec![CapturingKey::parse(message.topic, NOWHERE)?],
        message: Some(message),
        queue: name.clone(),
        dead: name.clone(),
        timeout: settings.timeout,
        retry: RetryPolicy::NONE,
        on_error: OnError::Discard,
        error_hook: None,
        ack: AckMode::OnSuccess,
        concurrency,
        prefetch,
        priority: 0,
        when: None,
        breaker: None,
        rate_limit: None,
        any_exchange: false,
        formerly: None,
        ordered_by: None,
        batch: None,
        place: NOWHERE,
        docs: "",
        identity: TypeId::of::<()>,
        arguments: |_| {},
        instances: None,
        callee: Callee::Given(call),
    };
    let queue = QueueEntry {
        name: name.clone(),
        dead: name,
        members: vec![Arc::new(entry)],
        concurrency,
        prefetch,
        ack: AckMode::OnSuccess,
        ordered_by: None,
        batch: None,
        when_full: WhenFull::default(),
        declaration,
        foreign: false,
        session: Some(session.id().to_owned()),
    };
    Ok(Planned { queue: Arc::new(queue), topology, is_of })
}

/// A closure stands in no table of registrations.
const NOWHERE: Place = Place { file: "", line: 0, column: 0 };
