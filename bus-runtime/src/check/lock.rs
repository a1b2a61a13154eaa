//! `bus.lock`: what a program promises to others, in a file that people review.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Finding, Severity};
use crate::registration::MessageRegistration;
use crate::topology::Plan;

/// What stands above the lines.
const HEAD: &str = "\
# What this program promises: its handlers, their queues and bindings, and the shapes of its messages.
# `check` compares the program with it, `check --lock` writes it anew. Review its changes as you review code.
";
/// How many lines of a file that is out of date are shown.
const SHOWN_MAX: usize = 3;

/// What a program promises to others: one line for each handler, binding, message and field, in a stable order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// The queue of each handler, by its name and its kind.
    handlers: BTreeMap<String, String>,
    /// `react wiki.# -> wiki.on_wiki.react`.
    bindings: BTreeSet<String>,
    /// The kind and the version of each message, by its topic.
    messages: BTreeMap<String, String>,
    /// The type of each field, by the topic of its message and its path.
    fields: BTreeMap<(String, String), String>,
}

impl Lock {
    /// What the program promises now.
    pub(crate) fn of(plan: &Plan, messages: &[&'static MessageRegistration]) -> Self {
        let mut lock = Self::default();
        for entry in &plan.handlers {
            lock.handlers.insert(format!("{} {}", entry.name, entry.kind.as_str()), entry.queue.to_string());
            let queue = plan.queues.iter().find(|queue| queue.name == entry.queue);
            if queue.is_some_and(|queue| queue.declaration.exclusive) {
                // Its name is another one with every process, and nothing in it is kept.
                lock.handlers
                    .insert(format!("{} {}", entry.name, entry.kind.as_str()), "each process".to_owned());
                continue;
            }
            let bind = |key: &crate::topology::CapturingKey| {
                format!("{} {} -> {}", entry.exchange, key.key.as_str(), entry.queue)
            };
            lock.bindings.extend(entry.keys.iter().map(bind));
        }
        for registration in messages {
            let message = &registration.message;
            let kind = format!("{} v{}", message.kind.as_str(), message.version);
            lock.messages.insert(message.topic.to_owned(), kind);
            for (path, name) in (registration.shape)().0 {
                lock.fields.insert((message.topic.to_owned(), path), name);
            }
        }
        lock
    }

    /// Reads the file.
    ///
    /// # Errors
    /// The number of a line that is none, and the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lock = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') && lock.read(line).is_none() {
                return Err(format!(
                    "line {} is none of a handler, binding, message or field: {line}",
                    number + 1
                ));
            }
        }
        Ok(lock)
    }

    fn read(&mut self, line: &str) -> Option<()> {
        let (kind, rest) = line.split_once(' ')?;
        match kind {
            "handler" => {
                let (handler, queue) = rest.split_once(" -> ")?;
                self.handlers.insert(handler.to_owned(), queue.to_owned());
            }
            "binding" => {
                self.bindings.insert(rest.to_owned());
            }
            "message" => {
                let (topic, kind) = rest.split_once(' ')?;
                self.messages.insert(topic.to_owned(), kind.to_owned());
            }
            "field" => {
                let (of, name) = rest.split_once(": ")?;
                let (topic, path) = of.split_once(' ')?;
                self.fields.insert((topic.to_owned(), path.to_owned()), name.to_owned());
            }
            _ => return None,
        }
        Some(())
    }

    fn lines(&self) -> Vec<String> {
        let handlers = self.handlers.iter().map(|(handler, queue)| format!("handler {handler} -> {queue}"));
        let bindings = self.bindings.iter().map(|binding| format!("binding {binding}"));
        let messages = self.messages.iter().map(|(topic, kind)| format!("message {topic} {kind}"));
        let fields = self.fields.iter().map(|((topic, path), name)| format!("field {topic} {path}: {name}"));
        handlers.chain(bindings).chain(messages).chain(fields).collect()
    }

    /// What was promised and is not kept, and whether the file is out of date otherwise.
    pub fn compare(&self, now: &Lock, plan: &Plan) -> Vec<Finding> {
        let mut findings = self.lost_handlers(now, plan);
        findings.extend(self.lost_messages(now));
        findings.extend(self.lost_fields(now));
        if findings.is_empty() {
            findings.extend(self.out_of_date(now));
        }
        findings
    }

    fn lost_handlers(&self, now: &Lock, plan: &Plan) -> Vec<Finding> {
        let lost = self.handlers.iter().filter_map(|(handler, queue)| match now.handlers.get(handler) {
            Some(current) if current == queue => None,
            Some(current) => Some(broken(
                "BUS0312",
                format!("handler {handler} has another queue: {current} and no more {queue}, whose messages stay behind"),
                "give it its queue back with `queue = \"..\"`; or empty the old one, then write bus.lock anew: check --lock",
            )),
            None if is_former(plan, handler) => None,
            None => Some(broken(
                "BUS0311",
                format!("handler {handler} is gone, and nobody consumes {queue} any more"),
                "if it was renamed, say formerly = \"..\" at its new name; if it is meant to go, write bus.lock anew: check --lock",
            )),
        });
        lost.collect()
    }

    fn lost_messages(&self, now: &Lock) -> Vec<Finding> {
        let lost = self.messages.iter().filter(|(topic, _)| !now.messages.contains_key(*topic));
        lost.map(|(topic, kind)| {
            let text = format!("message {topic} ({kind}) is gone");
            broken(
                "BUS0313",
                text,
                "keep the type for those that still send it; if it is meant to go: check --lock",
            )
        })
        .collect()
    }

    /// Fields of messages that have the version they had.
    fn lost_fields(&self, now: &Lock) -> Vec<Finding> {
        let of_version = |topic: &String| self.messages.get(topic) == now.messages.get(topic);
        let fields = self.fields.iter().filter(|((topic, _), _)| of_version(topic));
        let help = "give the message a new version (`version = ..`), or a type and a topic of its own; \
                    if nobody sends or reads it: check --lock";
        let lost =
            fields.filter_map(|((topic, path), name)| match now.fields.get(&(topic.clone(), path.clone())) {
                Some(current) if current == name => None,
                Some(current) => Some(broken(
                    "BUS0315",
                    format!("field {path} of {topic} was {name} and is {current}"),
                    help,
                )),
                None => Some(broken(
                    "BUS0314",
                    format!("message {topic} has lost its field {path} ({name})"),
                    help,
                )),
            });
        lost.collect()
    }

    fn out_of_date(&self, now: &Lock) -> Option<Finding> {
        let (before, after) = (self.lines(), now.lines());
        let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}"));
        let new = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
        let changes: Vec<String> = gone.chain(new).collect();
        if changes.is_empty() {
            return None;
        }
        let mut text = format!("bus.lock is out of date by {} lines", changes.len());
        for change in changes.iter().take(SHOWN_MAX) {
            text.push_str(&format!("\n  {change}"));
        }
        if changes.len() > SHOWN_MAX {
            text.push_str(&format!("\n  and {} more", changes.len() - SHOWN_MAX));
        }
        Some(Finding::warning("BUS0316", text, "write it anew, and review it: check --lock"))
    }
}

/// Whether a handler says that it had this name.
fn is_former(plan: &Plan, handler: &str) -> bool {
    plan.handlers
        .iter()
        .any(|entry| entry.formerly.is_some_and(|path| format!("{path} {}", entry.kind.as_str()) == handler))
}

fn broken(code: &'static str, message: String, help: &str) -> Finding {
    Finding::new(code, Severity::Error, message, help)
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        self.lines().iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "\
handler wiki::on_page react -> wiki.on_page.react
binding react page.# -> wiki.on_page.react
message user.created event v1
field user.created email: string
field user.created id: integer
";

    fn codes(before: &str, after: &str) -> Vec<&'static str> {
        let (before, after) = (Lock::parse(before).unwrap(), Lock::parse(after).unwrap());
        before.compare(&after, &Plan::default()).iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let lock = Lock::parse(BEFORE).unwrap();
        assert_eq!(lock.to_string(), format!("{HEAD}{BEFORE}"));
        assert_eq!(Lock::parse(&lock.to_string()).unwrap(), lock);
        let error = Lock::parse("handler a b -> c\n\nqueue x\n").unwrap_err();
        assert_eq!(error, "line 3 is none of a handler, binding, message or field: queue x");
    }

    #[test]
    fn each_broken_promise_has_its_code() {
        let table = [
            ("", "", [].as_slice()),
            ("handler wiki::on_page react -> wiki.on_page.react\n", "", &["BUS0311"]),
            ("-> wiki.on_page.react\nbinding", "-> pages\nbinding", &["BUS0312"]),
            ("message user.created event v1\n", "", &["BUS0313"]),
            ("field user.created id: integer\n", "", &["BUS0314"]),
            ("id: integer", "id: string", &["BUS0315"]),
            ("id: integer", "id: integer?", &["BUS0315"]),
            ("binding react page.#", "binding react page.*", &["BUS0316"]),
            ("id: integer\n", "id: integer\nfield user.created name: string\n", &["BUS0316"]),
        ];
        for (from, to, expected) in table {
            assert_eq!(codes(BEFORE, &BEFORE.replace(from, to)), expected, "{from} to {to}");
        }
    }

    #[test]
    fn a_new_version_may_have_other_fields() {
        let next = BEFORE.replace("event v1", "event v2").replace("field user.created id: integer\n", "");
        assert_eq!(codes(BEFORE, &next), ["BUS0316"]);
    }
}
