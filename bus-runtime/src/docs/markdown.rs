//! A page for people: the messages and handlers of a program, and how they hang together.

use super::{Subject, mermaid};
use crate::shape::Shape;

/// The page.
pub(crate) fn markdown(subject: Subject<'_>) -> String {
    let mut text = format!("# {}\n\nWritten by `docs markdown`.\n", subject.name);
    text.push_str(&format!("\n```mermaid\n{}```\n", mermaid(subject)));
    text.push_str("\n## Handlers\n");
    for entry in &subject.plan.handlers {
        text.push_str(&format!("\n### {}\n\n", entry.name));
        if !entry.docs.is_empty() {
            text.push_str(&format!("{}\n\n", entry.docs));
        }
        text.push_str("| | |\n|---|---|\n");
        let keys: Vec<_> = entry.keys.iter().map(|key| format!("`{}`", cell(&key.text))).collect();
        let timeout = entry
            .timeout
            .map_or_else(|| "none".to_owned(), |time| humantime::format_duration(time).to_string());
        let rows = [
            ("kind", entry.kind.as_str().to_owned()),
            ("receives", format!("{} on `{}`", keys.join(", "), entry.exchange)),
            (
                "body",
                entry.payload().map_or_else(|| "any".to_owned(), |payload| format!("`{}`", cell(payload))),
            ),
            ("queue", format!("`{}`, dead letters `{}`", entry.queue, entry.dead)),
            ("timeout", timeout),
            ("retries", entry.retry.max.to_string()),
            ("source", format!("{}:{}", entry.place.file, entry.place.line)),
        ];
        for (name, value) in rows {
            text.push_str(&format!("| {name} | {value} |\n"));
        }
    }
    if !subject.messages.is_empty() {
        text.push_str("\n## Messages\n");
    }
    for registration in subject.messages {
        let message = &registration.message;
        text.push_str(&format!(
            "\n### {}\n\n`{}`, {} version {}, on `{}`\n\n| field | type |\n|---|---|\n",
            message.short_name(),
            message.topic,
            message.kind.as_str(),
            message.version,
            subject.exchange_of(message)
        ));
        let Shape(fields) = (registration.shape)();
        for (path, kind) in fields {
            text.push_str(&format!("| `{}` | {} |\n", cell(&path), cell(&kind)));
        }
    }
    text
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
