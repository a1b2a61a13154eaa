//! The spans of a message: their names, kinds and attributes are those of OpenTelemetry's conventions for messaging.
//!
//! A span that nobody wants costs a look at its callsite: what it would say is put together only when somebody does. Fields are
//! what a log shows; attributes are for traces alone.

use std::fmt;

use tracing::{Span, field};

use super::address::Address;
use super::context;
use super::traces::TraceParent;
use crate::arrival::Arrival;
use crate::counters::{Ending, Sending};
use crate::delivery::{Delivery, Metadata};
use crate::envelope::Envelope;
use crate::error::Error;
use crate::hub::Hub;
use crate::outcome::{DeadLetterReason, Outcome};
use crate::publish::Draft;
use crate::settle::Settlement;
use crate::topology::{HandlerEntry, naming};
use crate::transport::{Transport, Verdict};

/// Spans that are for traces, and nothing to a log.
pub(crate) const TARGET: &str = "bus_runtime::spans";

/// Whether somebody may want to know more of a span than its fields.
fn is_traced(span: &Span) -> bool {
    cfg!(feature = "otel") && !span.is_disabled()
}

/// The value of an attribute; one without a value is left out.
#[cfg_attr(not(feature = "otel"), expect(dead_code, reason = "only traces show them"))]
pub(crate) enum Attribute<'a> {
    Text(Option<&'a str>),
    Owned(String),
    Number(Option<i64>),
    /// Left out when it does not hold.
    Flag(bool),
}

use Attribute::{Flag, Number, Owned, Text};

/// Parts of a destination, with colons between those that there are.
struct Joined<'a, const N: usize>([&'a str; N]);

impl<const N: usize> fmt::Display for Joined<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = self.0.into_iter().filter(|part| !part.is_empty());
        f.write_str(parts.next().unwrap_or("amq.default"))?;
        parts.try_for_each(|part| write!(f, ":{part}"))
    }
}

/// Where a message was published to, and where it waited.
fn destination(metadata: &Metadata) -> String {
    let (key, queue) = (metadata.routing_key().as_str(), metadata.queue().as_str());
    let key = if key == queue { "" } else { key };
    Joined([metadata.exchange().as_str(), key, queue]).to_string()
}

/// Where a handler's messages come from, whatever their keys and whichever process it is.
fn template<'a>(hub: &Hub, entry: &'a HandlerEntry) -> Joined<'a, 3> {
    let key = entry.keys.first().map_or("", |key| key.key.as_str());
    let queue = if is_temporary(hub, entry) { "" } else { entry.queue.as_str() };
    Joined([entry.exchange.as_str(), key, queue])
}

/// Whether a handler's queue ends with this process, or with a session: each has a name of its own.
fn is_temporary(hub: &Hub, entry: &HandlerEntry) -> bool {
    entry.queue.ends_with(&hub.settings.instance) || naming::is_run_time(&entry.queue)
}

/// Where the messages of a span about a handler are from.
fn source(span: &Span, hub: &Hub, entry: &HandlerEntry, name: String) {
    context::attributes(
        span,
        [
            ("messaging.destination.name", Owned(name)),
            ("messaging.destination.template", Owned(template(hub, entry).to_string())),
            ("messaging.destination.temporary", Flag(is_temporary(hub, entry))),
        ],
    );
}

/// What every span of a worker says.
fn common(span: &Span, hub: &Hub, name: &'static str, kind: &'static str) {
    operation(span, &hub.address, name, kind);
    context::attributes(span, [("messaging.client.id", Text(Some(&hub.worker)))]);
}

/// What every span says.
fn operation(span: &Span, address: &Address, name: &'static str, kind: &'static str) {
    context::attributes(
        span,
        [
            ("messaging.system", Text(Some(address.system))),
            ("messaging.operation.name", Text(Some(name))),
            ("messaging.operation.type", Text(Some(kind))),
            ("server.address", Text(address.host.as_deref())),
            ("server.port", Number(address.port.map(i64::from))),
        ],
    );
}

/// What a span about a message says of it.
fn about(span: &Span, envelope: &Envelope, conversation: Option<&str>) {
    context::attributes(
        span,
        [
            ("messaging.message.id", Text(envelope.properties.message_id.as_deref())),
            ("messaging.message.conversation_id", Text(conversation)),
        ],
    );
}

/// The call of a handler with one message.
pub(crate) fn consume(hub: &Hub, entry: &HandlerEntry, arrival: &Arrival, instance: Option<&str>) -> Span {
    let metadata = &arrival.metadata;
    let span = tracing::info_span!(
        "consume",
        otel.name = %format_args!("consume {}", template(hub, entry)),
        otel.kind = "consumer",
        otel.status_code = field::Empty,
        handler = entry.name,
        instance,
        message_id = metadata.message_id(),
        routing_key = metadata.routing_key().as_str(),
        attempt = metadata.attempt(),
    );
    if !is_traced(&span) {
        return span;
    }
    if hub.traces.propagates_context {
        context::follow(&span, metadata.headers(), hub.traces.parent);
    }
    common(&span, hub, "consume", "process");
    about(&span, &metadata.envelope, metadata.correlation_id());
    source(&span, hub, entry, destination(metadata));
    context::attributes(
        &span,
        [
            ("messaging.rabbitmq.destination.routing_key", Text(Some(metadata.routing_key()))),
            ("messaging.rabbitmq.message.delivery_tag", Number(arrival.delivery_tag)),
            ("bus.handler.name", Text(Some(&entry.name))),
            ("bus.delivery.attempt", Number(Some(metadata.attempt().into()))),
            ("code.function.name", Text(Some(&entry.name))),
            ("code.file.path", Text(Some(entry.place.file))),
            ("code.line.number", Number(Some(entry.place.line.into()))),
        ],
    );
    span
}

/// The trace of a span that is exported.
pub(super) fn sampled_trace(span: &Span) -> Option<u128> {
    if is_traced(span) { context::sampled_trace(span) } else { None }
}

/// What became of a call.
pub(crate) fn judged(span: &Span, outcome: &Outcome) {
    let ending = Ending::of(outcome);
    if is_traced(span) && ending != Ending::Done {
        span.record("otel.status_code", "ERROR");
        context::attributes(span, [("error.type", Text(Some(ending.as_str())))]);
    }
}

/// What was decided of the message after a call.
pub(crate) fn settled(span: &Span, settlement: &Settlement) {
    let outcome = match settlement {
        Settlement::Ack => "ack",
        Settlement::DeadLetter { reason: DeadLetterReason::Rejected, .. } => "reject",
        Settlement::Retry { .. } | Settlement::Requeue { .. } => "retry",
        Settlement::DeadLetter { .. } => "dead_letter",
        Settlement::Discard => "drop",
    };
    if is_traced(span) {
        context::attributes(span, [("bus.outcome", Text(Some(outcome)))]);
    }
}

/// A publish to somewhere that has a name of its own, whatever the key.
fn publishing(to: impl fmt::Display) -> Span {
    tracing::info_span!(
        target: TARGET,
        "publish",
        otel.name = %format_args!("publish {to}"),
        otel.kind = "producer",
        otel.status_code = field::Empty,
    )
}

fn published(span: &Span, envelope: &Envelope, template: Option<String>) {
    about(span, envelope, envelope.properties.correlation_id.as_deref());
    let (exchange, key) = (envelope.exchange.as_str(), envelope.routing_key.as_str());
    context::attributes(
        span,
        [
            ("messaging.destination.name", Owned(Joined([exchange, key]).to_string())),
            ("messaging.destination.template", template.map_or(Text(None), Owned)),
            ("messaging.rabbitmq.destination.routing_key", Text(Some(key))),
        ],
    );
}

/// The publishing of a message, until it is confirmed. Its context goes into the message, unless the user has put one there.
pub(crate) fn publish(hub: &Hub, draft: &mut Draft) -> Span {
    let envelope = &draft.envelope;
    let topic = hub.meters.sent(draft.subject).static_topic();
    let to = Joined([envelope.exchange.as_str(), topic.unwrap_or_default()]);
    let span = publishing(&to);
    if !is_traced(&span) {
        return span;
    }
    common(&span, hub, "publish", "send");
    published(&span, envelope, topic.map(|_| to.to_string()));
    if hub.traces.propagates_context && !draft.has_own_trace {
        context::inject(&span, &mut draft.envelope.headers);
    }
    span
}

/// How a publish ended.
pub(crate) fn sent<T>(span: &Span, sent: &Result<T, Error>) {
    if let (true, Err(error)) = (is_traced(span), sent) {
        span.record("otel.status_code", "ERROR");
        context::attributes(span, [("error.type", Text(Some(Sending::of_error(error).as_str())))]);
    }
}

/// The publishing of a copy of a message: for another attempt, or to the dead letters. The copy keeps the context of the
/// message; the span has a link to it.
pub(crate) fn publish_copy(hub: &Hub, copy: &Envelope, queue: &str) -> Span {
    let to = if copy.exchange.is_default() { copy.routing_key.as_str() } else { queue };
    let span = publishing(to);
    if is_traced(&span) {
        if hub.traces.propagates_context {
            context::link(&span, &copy.headers);
        }
        common(&span, hub, "publish", "send");
        published(&span, copy, Some(to.to_owned()));
    }
    span
}

/// The publishing of a dead letter that somebody replays: in the trace of the message, whoever publishes it.
pub(crate) fn replay(transport: &dyn Transport, copy: &Envelope) -> Span {
    let span = publishing(&*copy.routing_key);
    if is_traced(&span) {
        context::follow(&span, &copy.headers, TraceParent::Child);
        operation(&span, &Address::of(&transport.describe()), "publish", "send");
        published(&span, copy, Some(copy.routing_key.to_string()));
    }
    span
}

/// Taking messages out of a queue without consuming it: a walk through dead letters, or what is queued at this moment.
pub(crate) fn receive(transport: &dyn Transport, queue: &str) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        "receive",
        otel.name = %format_args!("receive {queue}"),
        otel.kind = "client",
        otel.status_code = field::Empty,
    );
    if is_traced(&span) {
        operation(&span, &Address::of(&transport.describe()), "receive", "receive");
        context::attributes(&span, [("messaging.destination.name", Text(Some(queue)))]);
    }
    span
}

/// How many messages were taken.
pub(crate) fn received(span: &Span, count: u64) {
    if is_traced(span) {
        context::attributes(span, [("messaging.batch.message_count", Number(i64::try_from(count).ok()))]);
    }
}

/// Telling the broker what became of a message, after a call of its handler if there was one.
pub(crate) fn settle(
    hub: &Hub,
    call: &Span,
    entry: &HandlerEntry,
    arrival: &Arrival,
    verdict: Verdict,
) -> Span {
    let metadata = &arrival.metadata;
    if !hub.traces.settle_spans {
        return Span::none();
    }
    let name = match verdict {
        Verdict::Ack => "ack",
        Verdict::Requeue => "nack",
        Verdict::Reject => "reject",
    };
    let span = tracing::info_span!(
        target: TARGET,
        parent: call,
        "settle",
        otel.name = %format_args!("{name} {}", template(hub, entry)),
        otel.kind = "client",
    );
    if !is_traced(&span) {
        return span;
    }
    if call.is_none() && hub.traces.propagates_context {
        context::follow(&span, metadata.headers(), hub.traces.parent);
    }
    common(&span, hub, name, "settle");
    about(&span, &metadata.envelope, metadata.correlation_id());
    source(&span, hub, entry, destination(metadata));
    context::attributes(
        &span,
        [
            ("messaging.rabbitmq.destination.routing_key", Text(Some(metadata.routing_key()))),
            ("messaging.rabbitmq.message.delivery_tag", Number(arrival.delivery_tag)),
        ],
    );
    span
}

/// The call of a handler with many messages, with a link to the context of each.
pub(crate) fn batch(hub: &Hub, entry: &HandlerEntry, messages: &[Delivery]) -> Span {
    let span = tracing::info_span!(
        "batch",
        otel.name = %format_args!("consume {}", template(hub, entry)),
        otel.kind = "consumer",
        handler = entry.name,
        messages = messages.len(),
    );
    if !is_traced(&span) {
        return span;
    }
    if hub.traces.propagates_context {
        messages.iter().for_each(|message| context::link(&span, message.metadata().headers()));
    }
    common(&span, hub, "consume", "process");
    source(&span, hub, entry, template(hub, entry).to_string());
    received(&span, messages.len() as u64);
    span
}
