//! From registrations to handlers, queues and a topology. Pure: the same registrations give the same plan.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::batch::BatchEntry;
use super::contradictions::{
    contradicting_attributes, different_settings, reserved_queue, same_queue, two_of_one_name,
};
use super::declaration::{declaration, topology};
use super::foreign::{Foreign, foreign};
use super::handler::{CapturingKey, HandlerEntry, HandlerKind};
use super::order::OrderedBy;
use super::overrides::{HandlerOverride, overridden};
use super::renamed::{Renamed, renamed};
use super::{ExchangeKind, Queue, Topology, naming};
use crate::error::{Error, ErrorKind};
use crate::message::MessageKind;
use crate::names::{ExchangeName, QueueName};
use crate::policy::{AckMode, RetryPolicy, WhenFull};
use crate::registration::{
    Callee, HandlerId, HandlerOptions, HandlerRegistration, RetryOptions, Subject, Timeout,
};

/// `x-delivery-limit` of work queues: far above what reconnects cause (22 of them with prefetch 32 and a limit of 20
/// dead-lettered messages that nobody had handled), and an end for a message that kills its worker.
pub const DELIVERY_LIMIT: u32 = 100;
/// `x-delivery-limit` of `.dead` and `bus.due`: looking must never remove.
pub const DEAD_DELIVERY_LIMIT: u32 = 1 << 31;
/// How many times `concurrency` is fetched ahead: the next message is there when a handler ends.
const PREFETCH_PER_HANDLER: u16 = 2;

/// The defaults that fill what the attributes leave open.
#[derive(Clone, Debug)]
pub struct PlanSettings {
    /// Before every name that is declared; empty but for tests on a shared broker.
    pub prefix: String,
    /// The name of the audit exchange.
    pub audit: String,
    /// The name of the react exchange.
    pub react: String,
    /// The name of the exchange of typed messages.
    pub messages: String,
    /// Handler timeout; `None` is never.
    pub timeout: Option<Duration>,
    /// Retry policy.
    pub retry: RetryPolicy,
    /// Handlers of one queue that run at once.
    pub concurrency: u16,
    /// Messages fetched ahead per queue; `None` is twice the concurrency.
    pub prefetch: Option<u16>,
    /// What is set for single handlers, over their attributes.
    pub overrides: Vec<HandlerOverride>,
    /// Behind the names of queues that belong to one process (`fanout = "each"`); each start has another one.
    pub instance: String,
}

impl Default for PlanSettings {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            audit: "audit".to_owned(),
            react: "react".to_owned(),
            messages: "messages".to_owned(),
            timeout: Some(Duration::from_secs(30)),
            retry: RetryPolicy::default(),
            concurrency: 16,
            prefetch: None,
            overrides: Vec::new(),
            instance: ".{worker}".to_owned(),
        }
    }
}

impl PlanSettings {
    pub(crate) fn exchange(&self, name: &str) -> Result<ExchangeName, Error> {
        Ok(ExchangeName::new(format!("{}{name}", self.prefix))?)
    }
}

/// What the registrations mean: who handles what, from which queue.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// All handlers, ordered by crate, module and line.
    pub handlers: Vec<Arc<HandlerEntry>>,
    /// All queues that handlers consume, ordered by name.
    pub queues: Vec<Arc<QueueEntry>>,
    /// What has to be declared for it.
    pub topology: Topology,
    /// What others declare, and handlers use.
    pub foreign: Foreign,
    /// Queues of handlers that have got another name.
    pub renamed: Vec<Renamed>,
}

/// A queue and the handlers that consume it.
#[derive(Clone, Debug)]
pub struct QueueEntry {
    /// Its name.
    pub name: QueueName,
    /// Where its dead letters are.
    pub dead: QueueName,
    /// Its handlers, highest priority first.
    pub members: Vec<Arc<HandlerEntry>>,
    /// How many messages are handled at once.
    pub concurrency: u16,
    /// How many messages are fetched ahead, those being handled included.
    pub prefetch: u16,
    /// Whether messages are acknowledged before they are handled.
    pub ack: AckMode,
    /// What its messages are handled one after another by.
    pub ordered_by: Option<OrderedBy>,
    /// How many of its messages a handler is called with, when it is not one.
    pub batch: Option<BatchEntry>,
    /// What happens to messages when it is full.
    pub when_full: WhenFull,
    /// How it is declared.
    pub declaration: Queue,
    /// Whether it belongs to others, who alone declare and bind it.
    pub foreign: bool,
    /// The session that its messages are of.
    pub(crate) session: Option<String>,
}

/// Plans what the registrations mean.
///
/// # Errors
/// Every contradiction between them, each with the places in the source.
pub fn plan<'r>(
    registrations: impl IntoIterator<Item = &'r HandlerRegistration>,
    settings: &PlanSettings,
) -> Result<Plan, Vec<Error>> {
    let mut sorted: Vec<_> = registrations.into_iter().collect();
    sorted.sort_by_key(|registration| (registration.id.module, registration.place, registration.id.name));
    let mut errors = Vec::new();
    let mut keep = |result: Result<(), Error>| errors.extend(result.err());

    let mut handlers: Vec<Planned> = Vec::new();
    for registration in sorted {
        keep(add(&mut handlers, registration, settings));
    }
    check_single_handlers(&handlers, &mut keep);
    let mut queues = BTreeMap::new();
    for planned in &handlers {
        keep(join(&mut queues, planned, &settings.prefix));
    }
    let topology = topology(&handlers, queues.values(), settings).unwrap_or_else(|error| {
        keep(Err(error));
        Topology::default()
    });
    let foreign = foreign(&handlers, &topology, &mut keep);
    let renamed = renamed(&handlers, &queues, &settings.prefix, &mut keep);
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Plan {
        handlers: handlers.into_iter().map(|planned| planned.entry).collect(),
        queues: queues.into_values().map(Arc::new).collect(),
        topology,
        foreign,
        renamed,
    })
}

/// A handler together with what its attributes said, which later attributes of the same function are compared with.
pub(super) struct Planned {
    pub(super) id: HandlerId,
    pub(super) options: HandlerOptions,
    pub(super) entry: Arc<HandlerEntry>,
    /// The last part of the name of its own queue.
    pub(super) suffix: String,
}

/// Adds a registration: a new handler, or more keys for one that another attribute of the same function has made.
fn add(
    handlers: &mut Vec<Planned>,
    registration: &HandlerRegistration,
    settings: &PlanSettings,
) -> Result<(), Error> {
    let keys = keys_of(registration)?;
    let (kind, exchange, suffix) = route(registration, settings)?;
    let same = handlers.iter_mut().find(|planned| {
        planned.id == registration.id
            && planned.entry.exchange == exchange
            && planned.entry.message.map(|message| message.topic) == message_topic(registration)
    });
    if let Some(planned) = same {
        let known = Arc::make_mut(&mut planned.entry);
        if (known.identity)() != (registration.identity)() {
            return Err(two_of_one_name(known, registration));
        }
        let options = overridden(&settings.overrides, registration);
        let options =
            merged(planned.options, options).ok_or_else(|| contradicting_attributes(known, registration))?;
        for key in keys {
            if !known.keys.contains(&key) {
                known.keys.push(key);
            }
        }
        planned.options = options;
        return apply(known, registration.id, &options, settings);
    }
    let options = overridden(&settings.overrides, registration);
    let queue = naming::handler_queue(&settings.prefix, registration.id, &suffix)?;
    let mut entry = HandlerEntry {
        name: String::new(),
        group: registration.group.unwrap_or_else(|| registration.id.crate_name()).to_owned(),
        kind,
        exchange,
        keys,
        message: match registration.subject {
            Subject::Message(message) => Some(message),
            Subject::Audit(_) | Subject::React(_) => None,
        },
        dead: naming::dead_queue(&queue)?,
        queue,
        timeout: settings.timeout,
        retry: settings.retry,
        on_error: Default::default(),
        error_hook: None,
        ack: AckMode::default(),
        concurrency: settings.concurrency,
        prefetch: 0,
        priority: 0,
        when: None,
        breaker: None,
        rate_limit: None,
        any_exchange: false,
        formerly: None,
        ordered_by: None,
        batch: None,
        place: registration.place,
        docs: registration.docs,
        identity: registration.identity,
        arguments: registration.arguments,
        instances: registration.instances.map(|finder| finder()),
        callee: Callee::Linked(registration.call),
    };
    apply(&mut entry, registration.id, &options, settings)?;
    handlers.push(Planned { id: registration.id, options, entry: Arc::new(entry), suffix });
    Ok(())
}

/// Puts what the attributes say over the defaults.
fn apply(
    entry: &mut HandlerEntry,
    id: HandlerId,
    options: &HandlerOptions,
    settings: &PlanSettings,
) -> Result<(), Error> {
    name(entry, id, options, settings)?;
    entry.timeout = match options.timeout {
        None => settings.timeout,
        Some(Timeout::After(time)) => Some(time),
        Some(Timeout::Never) => None,
    };
    // A command answers at once; it is tried again only when its handler asks for it.
    let command = entry.kind == HandlerKind::Message(MessageKind::Command);
    let retry = if command { RetryPolicy::NONE } else { settings.retry };
    entry.retry = options.retry.map_or(retry, |options| over(settings.retry, options));
    entry.on_error = options.on_error.unwrap_or_default();
    entry.error_hook = options.error_hook;
    entry.ack = options.ack.unwrap_or_default();
    entry.batch = BatchEntry::of(options.batch, entry)?;
    // Whoever wants batches wants them filled, not many at one time.
    let concurrency = if entry.batch.is_some() { 1 } else { settings.concurrency };
    entry.concurrency = options.concurrency.unwrap_or(concurrency).max(1);
    entry.prefetch = options
        .prefetch
        .or(settings.prefetch)
        .unwrap_or_else(|| match entry.batch {
            None => entry.concurrency.saturating_mul(PREFETCH_PER_HANDLER),
            Some(batch) => batch.prefetch(entry.concurrency),
        })
        .max(entry.batch.map_or(entry.concurrency, |batch| batch.size));
    entry.priority = options.priority.unwrap_or_default();
    entry.when = options.when;
    (entry.breaker, entry.rate_limit) = (options.breaker, options.rate_limit);
    entry.any_exchange = options.has_foreign_queue() && options.exchange.is_none();
    entry.formerly = options.formerly;
    entry.ordered_by = options.ordered_by.map(|text| OrderedBy::of(text, entry)).transpose()?;
    Ok(())
}

/// Names the handler, its group and its queue. A queue of `fanout = "each"` belongs to one process; its dead letters do not.
fn name(
    entry: &mut HandlerEntry,
    id: HandlerId,
    options: &HandlerOptions,
    settings: &PlanSettings,
) -> Result<(), Error> {
    entry.name = options.name.map_or_else(|| format!("{}::{}", id.module, id.name), str::to_owned);
    if let Some(group) = options.group {
        entry.group = group.to_owned();
    }
    if let Some(queue) = options.queue {
        entry.queue = QueueName::new(format!("{}{queue}", settings.prefix))?;
        entry.dead = naming::dead_queue(&entry.queue)?;
    }
    if options.fanout_each && !entry.queue.ends_with(&settings.instance) {
        entry.queue = QueueName::new(format!("{}{}", entry.queue, settings.instance))?;
    }
    Ok(())
}

/// A policy with what an attribute sets of it; `max_delay` follows an `initial` above it.
fn over(policy: RetryPolicy, options: RetryOptions) -> RetryPolicy {
    let RetryOptions { max, initial, factor, max_delay, jitter, give_up_after } = options;
    let initial = initial.unwrap_or(policy.initial);
    RetryPolicy {
        max: max.unwrap_or(policy.max),
        initial,
        factor: factor.unwrap_or(policy.factor),
        max_delay: max_delay.unwrap_or(policy.max_delay.max(initial)),
        jitter: jitter.unwrap_or(policy.jitter),
        give_up_after: give_up_after.or(policy.give_up_after),
    }
}

fn message_topic(registration: &HandlerRegistration) -> Option<&'static str> {
    match registration.subject {
        Subject::Message(message) => Some(message.topic),
        Subject::Audit(_) | Subject::React(_) => None,
    }
}

fn keys_of(registration: &HandlerRegistration) -> Result<Vec<CapturingKey>, Error> {
    let place = registration.place;
    match registration.subject {
        Subject::Audit(keys) | Subject::React(keys) => {
            keys.iter().map(|text| CapturingKey::parse(text, place)).collect()
        }
        // A fanout exchange sends everything, whatever its key.
        Subject::Message(_) if registration.options.exchange_kind == Some(ExchangeKind::Fanout) => {
            Ok(vec![CapturingKey::parse("#", place)?])
        }
        Subject::Message(message) => Ok(vec![CapturingKey::parse(message.topic, place)?]),
    }
}

/// The kind, the exchange and the last part of the queue's name.
fn route(
    registration: &HandlerRegistration,
    settings: &PlanSettings,
) -> Result<(HandlerKind, ExchangeName, String), Error> {
    let named = registration.options.exchange;
    let kind_and_own = match registration.subject {
        Subject::Audit(_) => (HandlerKind::Audit, settings.audit.as_str(), "audit"),
        Subject::React(_) => (HandlerKind::React, settings.react.as_str(), "react"),
        Subject::Message(message) => {
            let exchange = message.exchange.unwrap_or(&settings.messages);
            (HandlerKind::Message(message.kind), exchange, message.topic)
        }
    };
    Ok(match (kind_and_own, named) {
        ((kind, exchange, suffix), None) => (kind, settings.exchange(exchange)?, suffix.to_owned()),
        ((kind @ HandlerKind::Message(_), _, topic), Some(named)) => {
            (kind, settings.exchange(named)?, topic.to_owned())
        }
        // Another exchange is another queue of the same function.
        ((kind, ..), Some(named)) => (kind, settings.exchange(named)?, named.to_owned()),
    })
}

/// The options of two attributes of one function together; `None` when they contradict each other.
fn merged(first: HandlerOptions, second: HandlerOptions) -> Option<HandlerOptions> {
    fn one<T>(first: Option<T>, second: Option<T>, same: impl Fn(&T, &T) -> bool) -> Option<Option<T>> {
        match (first, second) {
            (Some(first), Some(second)) => same(&first, &second).then_some(Some(first)),
            (first, second) => Some(first.or(second)),
        }
    }
    fn eq<T: PartialEq>(first: &T, second: &T) -> bool {
        first == second
    }
    Some(HandlerOptions {
        timeout: one(first.timeout, second.timeout, eq)?,
        retry: one(first.retry, second.retry, eq)?,
        on_error: one(first.on_error, second.on_error, eq)?,
        error_hook: one(first.error_hook, second.error_hook, |a, b| std::ptr::fn_addr_eq(*a, *b))?,
        ack: one(first.ack, second.ack, eq)?,
        concurrency: one(first.concurrency, second.concurrency, eq)?,
        prefetch: one(first.prefetch, second.prefetch, eq)?,
        queue: one(first.queue, second.queue, eq)?,
        name: one(first.name, second.name, eq)?,
        group: one(first.group, second.group, eq)?,
        priority: one(first.priority, second.priority, eq)?,
        when: one(first.when, second.when, |a, b| std::ptr::fn_addr_eq(*a, *b))?,
        ordered_by: one(first.ordered_by, second.ordered_by, eq)?,
        batch: one(first.batch, second.batch, eq)?,
        breaker: one(first.breaker, second.breaker, eq)?,
        rate_limit: one(first.rate_limit, second.rate_limit, eq)?,
        queue_type: one(first.queue_type, second.queue_type, eq)?,
        max_length: one(first.max_length, second.max_length, eq)?,
        overflow: one(first.overflow, second.overflow, eq)?,
        ttl: one(first.ttl, second.ttl, eq)?,
        max_priority: one(first.max_priority, second.max_priority, eq)?,
        single_active: one(first.single_active, second.single_active, eq)?,
        exclusive: one(first.exclusive, second.exclusive, eq)?,
        fanout_each: first.fanout_each || second.fanout_each,
        exchange: one(first.exchange, second.exchange, eq)?,
        exchange_kind: one(first.exchange_kind, second.exchange_kind, eq)?,
        declare_never: first.declare_never || second.declare_never,
        formerly: one(first.formerly, second.formerly, eq)?,
    })
}

/// A task or command with two handlers.
fn check_single_handlers(handlers: &[Planned], keep: &mut impl FnMut(Result<(), Error>)) {
    let mut first: BTreeMap<(&str, &str), &HandlerEntry> = BTreeMap::new();
    for planned in handlers {
        let entry = &planned.entry;
        let Some(message) = entry.message.filter(|message| message.kind.wants_one_handler()) else {
            continue;
        };
        if let Some(other) = first.insert((&entry.exchange, message.topic), entry) {
            let what = format!(
                "{kind} `{name}` has two handlers; a {kind} must have exactly one",
                kind = message.kind.as_str(),
                name = message.short_name()
            );
            keep(Err(Error::new(ErrorKind::DuplicateHandler, what)
                .with_place(other.place, format!("first handler, {}", other.name))
                .with_place(entry.place, format!("second handler, {}", entry.name))
                .with_help(format!(
                    "if every handler should see it, make it an event: #[event(\"{}\")]",
                    message.topic
                ))));
        }
    }
}

/// Lets a handler join its queue, or makes the queue.
fn join(queues: &mut BTreeMap<String, QueueEntry>, planned: &Planned, prefix: &str) -> Result<(), Error> {
    let entry = &planned.entry;
    let declaration = declaration(entry, &planned.options);
    if let Some(queue) = queues.get_mut(entry.queue.as_str()) {
        let other = &queue.members[0];
        if planned.options.queue.is_none() {
            return Err(same_queue(other, entry));
        }
        let foreign = planned.options.has_foreign_queue();
        if queue.declaration != declaration
            || queue.foreign != foreign
            || queue.when_full != planned.options.overflow.unwrap_or_default()
            || (queue.ack, &queue.ordered_by, queue.batch) != (entry.ack, &entry.ordered_by, entry.batch)
        {
            return Err(different_settings(other, entry));
        }
        queue.concurrency = queue.concurrency.max(entry.concurrency);
        queue.prefetch = queue.prefetch.max(entry.prefetch);
        queue.members.push(Arc::clone(entry));
        queue.members.sort_by_key(|member| std::cmp::Reverse(member.priority));
        return Ok(());
    }
    let own = entry.queue.strip_prefix(prefix).unwrap_or(&entry.queue);
    if own.starts_with(naming::OWN_PREFIX) || own.starts_with("amq.") {
        return Err(reserved_queue(entry));
    }
    queues.insert(
        entry.queue.to_string(),
        QueueEntry {
            name: entry.queue.clone(),
            dead: entry.dead.clone(),
            members: vec![Arc::clone(entry)],
            concurrency: entry.concurrency,
            prefetch: entry.prefetch,
            ack: entry.ack,
            ordered_by: entry.ordered_by.clone(),
            batch: entry.batch,
            when_full: planned.options.overflow.unwrap_or_default(),
            declaration,
            foreign: planned.options.has_foreign_queue(),
            session: None,
        },
    );
    Ok(())
}

#[cfg(test)]
mod tests;
