//! What has happened on a test's bus, as text: the same on each run, without ids and with times from the start.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::call::Call;
use super::journal::{Event, Journal};
use crate::envelope::{Envelope, header};
use crate::topology::naming;
use crate::transport::Confirmation;

/// Messages by the order in which they were seen first.
pub(super) struct Numbers(HashMap<String, usize>);

impl Numbers {
    pub(super) fn of(journal: &Journal) -> Self {
        let mut numbers = HashMap::new();
        for entry in journal.entries() {
            if let Event::Published(envelope, _) = &entry.event
                && let Some(id) = envelope.properties.message_id.as_deref()
            {
                let next = numbers.len() + 1;
                numbers.entry(id.to_owned()).or_insert(next);
            }
        }
        Self(numbers)
    }

    /// `#1`; a dash for what was published by nobody here.
    pub(super) fn of_message(&self, message_id: Option<&str>) -> String {
        let number = message_id.and_then(|id| self.0.get(id));
        number.map_or_else(|| "-".to_owned(), |number| format!("#{number}"))
    }
}

/// All of it, a line for each event. What the names of the app's queues and exchanges begin with is left out.
pub(super) fn timeline(journal: &Journal, prefix: &str) -> String {
    let (numbers, calls) = (Numbers::of(journal), journal.calls());
    let published = journal.published();
    let mut text = String::new();
    for entry in journal.entries() {
        let (number, verb, what) = match &entry.event {
            Event::Published(envelope, confirmation) => {
                let id = envelope.properties.message_id.as_deref().or_else(|| request(envelope, &published));
                let (verb, what) = sent(envelope, *confirmation, prefix);
                (numbers.of_message(id), verb, what)
            }
            Event::Called(call) => {
                let Some(call) = calls.get(*call) else { continue };
                (numbers.of_message(call.metadata.message_id()), "called", name(call))
            }
            Event::Ended(call) => {
                let Some((call, ending)) = calls.get(*call).and_then(|call| Some((call, call.ending()?)))
                else {
                    continue;
                };
                let (verb, rest) = ending.words();
                let rest = if rest.is_empty() { String::new() } else { format!(": {rest}") };
                (numbers.of_message(call.metadata.message_id()), verb, name(call) + &rest)
            }
            Event::Done(what, id) => (
                id.as_deref().map_or_else(String::new, |id| numbers.of_message(Some(id))),
                "fault",
                what.clone(),
            ),
        };
        let line = format!("{:>12}  {number:<4} {verb:<11} {what}", seconds(entry.at));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// `app::index, attempt 2, for docs`
fn name(call: &Call) -> String {
    let attempt = match call.attempt() {
        1 => String::new(),
        attempt => format!(", attempt {attempt}"),
    };
    let instance = call.instance().map_or_else(String::new, |instance| format!(", for {instance}"));
    format!("{}{attempt}{instance}", call.handler())
}

/// What a published message is, in a word, and where it went.
fn sent(envelope: &Envelope, confirmation: Confirmation, prefix: &str) -> (&'static str, String) {
    let text = |name: &str| envelope.headers.text(name).unwrap_or_default();
    let short = |name: &str| name.strip_prefix(prefix).unwrap_or(name).to_owned();
    let (exchange, key) = (short(&envelope.exchange), short(&envelope.routing_key));
    let attempt = envelope.headers.int(header::ATTEMPT).unwrap_or(1);
    if confirmation == Confirmation::Unroutable {
        return ("unroutable", format!("{exchange}: {key}"));
    }
    if naming::holds_delayed(&exchange) {
        let waits =
            exchange.rsplit_once("bus.delay.").map_or_else(String::new, |(_, ms)| format!(" in {ms} ms"));
        return match envelope.headers.text(header::HANDLER) {
            Some(handler) => ("delayed", format!("{handler}, attempt {attempt}{waits}")),
            None => {
                let to = short(text(header::DUE_EXCHANGE));
                ("delayed", format!("{to}: {}", text(header::DUE_ROUTING_KEY)))
            }
        };
    }
    if !envelope.exchange.is_default() {
        return ("published", format!("{exchange}: {key}"));
    }
    match envelope.headers.text(header::HANDLER) {
        Some(handler) if envelope.headers.get(header::REASON).is_some() => {
            ("dead letter", format!("{handler}: {} ({})", text(header::ERROR), text(header::REASON)))
        }
        Some(handler) => ("again", format!("{handler}, attempt {attempt}")),
        None if envelope.properties.message_id.is_none() => ("replied", String::new()),
        None => ("published", format!("to the queue {key}")),
    }
}

/// The command that a reply is for.
fn request<'p>(reply: &Envelope, published: &'p [std::sync::Arc<Envelope>]) -> Option<&'p str> {
    let id = reply.properties.correlation_id.as_ref()?;
    let asked = published.iter().find(|envelope| {
        envelope.properties.correlation_id.as_ref() == Some(id) && envelope.properties.message_id.is_some()
    });
    asked?.properties.message_id.as_deref()
}

/// `1.500 s`
fn seconds(time: Duration) -> String {
    format!("{}.{:03} s", time.as_secs(), time.subsec_millis())
}
