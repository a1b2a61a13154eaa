//! Messages without a handler, keys that nobody binds, and bindings that nobody publishes.

use super::{Finding, Program};
use crate::binding_key::BindingKey;
use crate::error::Place;
use crate::message::{MessageKind, MessageType};
use crate::registration::{MessageRegistration, PublishRegistration, Published};
use crate::topology::{CapturingKey, HandlerEntry, HandlerKind};

pub(super) fn check(program: Program<'_>) -> Vec<Finding> {
    let mut findings: Vec<_> =
        program.messages.iter().filter_map(|message| unhandled(program, message)).collect();
    let routes: Vec<_> = program.published.iter().flat_map(|one| routes(program, one)).collect();
    findings.extend(program.published.iter().filter_map(|one| not_a_handler(program, one)));
    findings.extend(routes.iter().filter_map(|route| unbound(program, route)));
    findings.extend(unpublished(program, &routes));
    findings
}

/// A key that the program says it publishes.
#[derive(Clone, Debug)]
pub(super) struct Route {
    /// As it is on the broker.
    pub(super) exchange: String,
    pub(super) key: BindingKey,
    /// The type, when it is a message.
    message: Option<MessageType>,
    /// As it is written.
    pub(super) text: String,
    terminal: bool,
    place: Place,
}

impl Route {
    /// Whether a message of this key can come to the handler.
    pub(super) fn reaches(&self, entry: &HandlerEntry) -> bool {
        let of_this_type = match (&entry.message, &self.message) {
            (Some(wanted), Some(sent)) => wanted.topic == sent.topic,
            _ => true,
        };
        of_this_type
            && entry.exchange == *self.exchange
            && entry.keys.iter().any(|key| overlap(&self.key, &key.key))
    }
}

/// What one `publishes!` says, key by key. A text that is too long for a key is none, and left out.
pub(super) fn routes(Program { settings, .. }: Program<'_>, one: &PublishRegistration) -> Vec<Route> {
    let prefixed = |name: &str| format!("{}{name}", settings.prefix);
    let of_keys = |exchange: &str, keys: &[&str]| {
        let keys = keys.iter().filter_map(|text| CapturingKey::parse(text, one.place).ok());
        let route = |key: CapturingKey| Route {
            exchange: prefixed(exchange),
            key: key.key,
            message: None,
            text: key.text,
            terminal: one.terminal,
            place: one.place,
        };
        keys.map(route).collect()
    };
    match one.what {
        Published::Audit(keys) => of_keys(&settings.audit, keys),
        Published::React(keys) => of_keys(&settings.react, keys),
        Published::Message(message) => {
            let exchange = message.exchange.unwrap_or(&settings.messages);
            let mut routes: Vec<Route> = of_keys(exchange, &[message.topic]);
            for route in &mut routes {
                route.message = Some(message);
                // The type has been registered, and is checked as a message.
                route.terminal = true;
            }
            routes
        }
    }
}

/// A message type that no handler of the program takes.
fn unhandled(
    Program { plan, settings, .. }: Program<'_>,
    registration: &MessageRegistration,
) -> Option<Finding> {
    let message = registration.message;
    let exchange = format!("{}{}", settings.prefix, message.exchange.unwrap_or(&settings.messages));
    let handled =
        plan.handlers.iter().any(|entry| entry.wants(&exchange, message.topic, Some(message.topic)));
    if handled || message.terminal {
        return None;
    }
    let (kind, name, topic) = (message.kind, message.short_name(), message.topic);
    let text = format!("{} `{name}` ({topic}) has no handler in this program", kind.as_str());
    let finding = match kind {
        MessageKind::Event => Finding::warning(
            "BUS0301",
            text,
            format!(
                "handle it: #[message_handler({name})]; or say that nobody needs to: #[event(\"{topic}\", terminal)]"
            ),
        ),
        MessageKind::Task | MessageKind::Command => Finding::warning(
            "BUS0302",
            text,
            format!(
                "handle it: #[message_handler({name})]; whoever sends it gets an error as long as nobody does"
            ),
        ),
    };
    Some(finding.at(registration.place, "this message"))
}

/// A `publishes!` that names a function which is no handler.
fn not_a_handler(Program { plan, .. }: Program<'_>, one: &PublishRegistration) -> Option<Finding> {
    let by = one.by?();
    if plan.handlers.iter().any(|entry| (entry.identity)() == by) {
        return None;
    }
    let text = "`publishes!` names a function that is no handler of this program".to_owned();
    Some(
        Finding::warning("BUS0306", text, "name a handler, or leave the name out").at(one.place, "said here"),
    )
}

/// A key that no handler binds.
fn unbound(Program { plan, .. }: Program<'_>, route: &Route) -> Option<Finding> {
    if route.terminal || plan.handlers.iter().any(|entry| route.reaches(entry)) {
        return None;
    }
    let Route { exchange, text, place, .. } = route;
    Some(
        Finding::warning(
            "BUS0303",
            format!("no handler of this program receives \"{text}\" on `{exchange}`"),
            "bind it, or say that nobody needs to: publishes! { terminal .. }",
        )
        .at(*place, "published here"),
    )
}

/// Bindings of the audit and the react exchange that nothing published can match, where the program says what it publishes
/// there.
fn unpublished(Program { plan, .. }: Program<'_>, routes: &[Route]) -> Vec<Finding> {
    let raw =
        plan.handlers.iter().filter(|entry| matches!(entry.kind, HandlerKind::Audit | HandlerKind::React));
    raw.flat_map(|entry| {
        let there: Vec<_> = routes.iter().filter(|route| entry.exchange == *route.exchange).collect();
        let silent = entry
            .keys
            .iter()
            .filter(move |key| !there.is_empty() && !there.iter().any(|route| overlap(&route.key, &key.key)));
        silent.map(move |key| {
            let text = format!(
                "nothing that this program says it publishes matches \"{}\" on `{}`",
                key.text, entry.exchange
            );
            Finding::warning(
                "BUS0304",
                text,
                "correct the binding key, or add to `publishes!` what it waits for",
            )
            .at(entry.place, entry.name.clone())
        })
    })
    .collect()
}

/// Whether some routing key matches both.
pub(super) fn overlap(one: &BindingKey, other: &BindingKey) -> bool {
    fn words(key: &BindingKey) -> Vec<&str> {
        if key.as_str().is_empty() { Vec::new() } else { key.as_str().split('.').collect() }
    }
    let (one, other) = (words(one), words(other));
    // `meet[j]` of the row `i`: whether the words from `i` of the one and those from `j` of the other can be the same.
    let mut below: Vec<bool> = Vec::new();
    for i in (0..=one.len()).rev() {
        let mut meet = vec![false; other.len() + 1];
        for j in (0..=other.len()).rev() {
            let (mine, theirs) = (one.get(i).copied(), other.get(j).copied());
            meet[j] = match (mine, theirs) {
                (None, None) => true,
                (Some("#"), theirs) => below[j] || (theirs.is_some() && meet[j + 1]),
                (mine, Some("#")) => meet[j + 1] || (mine.is_some() && below[j]),
                (Some(mine), Some(theirs)) => {
                    (mine == "*" || theirs == "*" || mine == theirs) && below[j + 1]
                }
                (None, Some(_)) | (Some(_), None) => false,
            };
        }
        below = meet;
    }
    below.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_overlap_when_a_message_can_match_both() {
        let table = [
            ("wiki.saved", "wiki.#", true),
            ("wiki", "wiki.#", true),
            ("wikis", "wiki.#", false),
            ("wiki.*.saved", "wiki.home.*", true),
            ("wiki.*.saved", "wiki.home.deleted", false),
            ("wiki.*", "wiki", false),
            ("#", "a.b", true),
            ("a.#.z", "#.y.z", true),
            ("a.#.z", "#.y", false),
            ("a.*", "*.b.#", true),
            ("a", "*.b.#", false),
            ("#.a.#", "b.*.c", true),
        ];
        for (one, other, expected) in table {
            let (one, other) = (BindingKey::parse(one).unwrap(), BindingKey::parse(other).unwrap());
            assert_eq!(overlap(&one, &other), expected, "{one} and {other}");
            assert_eq!(overlap(&other, &one), expected, "{other} and {one}");
        }
    }
}
