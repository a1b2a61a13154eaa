//! How differences between the code and the broker are printed.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::{Value, json};

use super::report;
use crate::app::App;
use crate::provision::{Doomed, Drift, Provision};
use crate::topology::diff::{Change, Difference, Remedy};
use crate::topology::naming;

/// Where to look at the broker from.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Target {
    /// RabbitMQ's management API, which alone can see bindings; port 15672 of the broker's host if left out
    /// [env: BUS_MANAGEMENT_URL]
    #[arg(long, value_name = "URL")]
    management_url: Option<String>,
}

impl Target {
    pub(super) fn apply(&self, app: &mut App) {
        if let Some(url) = &self.management_url {
            app.with_config(|config| config.management_url = Some(url.clone()));
        }
    }
}

/// One line for each difference, then what to do about them.
pub(super) fn table(provision: &Provision, drift: &Drift) -> String {
    let Drift { changes, server, unseen, .. } = drift;
    let lines = lines(changes);
    let width = lines.iter().map(|line| line.what.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for Line { sign, what, why } in &lines {
        text.push_str(&format!("  {sign} {what:<width$}  {why}\n"));
    }
    if changes.is_empty() {
        let address = provision.transport().describe().address;
        text.push_str(&format!("no difference between the code and {address} ({server})\n"));
    } else {
        text.push_str(&remedies(changes));
    }
    if let Some(why) = unseen {
        text.push_str(&format!("not seen: bindings that were made or removed by hand, as {why}\n"));
    }
    text
}

/// What people read of one difference.
pub(crate) struct Line {
    pub(crate) sign: char,
    pub(crate) what: String,
    pub(crate) why: String,
}

/// The differences as people read them. What is missing together with a queue or an exchange stands in its line, and what Bus
/// needs for its delays is one line.
pub(crate) fn lines(changes: &[Change]) -> Vec<Line> {
    let missing: BTreeSet<&str> = changes.iter().filter_map(missing_name).collect();
    let own = |name: &str| naming::is_helper(name);
    let mut lines = Vec::new();
    for change in changes {
        match change {
            Change::MissingQueue { name, .. } | Change::MissingExchange { name } if own(name) => {}
            Change::MissingBinding(binding) if own(&binding.destination) || own(&binding.source) => {}
            Change::MissingBinding(binding) if missing.contains(binding.destination.as_str()) => {}
            _ => lines.push(Line { sign: sign(change), what: what(change), why: why(change, changes) }),
        }
    }
    let helpers = missing.iter().filter(|name| own(name)).count();
    if helpers > 0 {
        let what = format!("delays   {helpers} queues and exchanges of Bus itself");
        lines.insert(0, Line { sign: '+', what, why: "are missing".to_owned() });
    }
    lines
}

fn missing_name(change: &Change) -> Option<&str> {
    match change {
        Change::MissingExchange { name } | Change::MissingQueue { name, .. } => Some(name),
        _ => None,
    }
}

fn sign(change: &Change) -> char {
    match change.remedy() {
        Remedy::Declare => '+',
        Remedy::Recreate => '~',
        Remedy::Prune => '-',
        Remedy::Owner => '!',
        Remedy::None => '?',
    }
}

/// What a change is about.
pub(super) fn what(change: &Change) -> String {
    match change {
        Change::MissingExchange { name }
        | Change::DifferentExchange { name, .. }
        | Change::UnfitExchange { name, .. }
        | Change::LeftExchange { name } => format!("exchange {name}"),
        Change::MissingForeign { what, name } => format!("{what:<8} {name}"),
        Change::MissingQueue { name, .. }
        | Change::DifferentQueue { name, .. }
        | Change::RenamedQueue { name, .. }
        | Change::LeftQueue { name, .. } => format!("queue    {name}"),
        Change::MissingBinding(binding) | Change::LeftBinding(binding) | Change::ForeignBinding(binding) => {
            format!("binding  {binding}")
        }
    }
}

pub(super) fn doomed(doomed: &Doomed) -> String {
    match doomed {
        Doomed::Queue { name, .. } => format!("queue    {name}"),
        Doomed::Exchange { name } => format!("exchange {name}"),
    }
}

fn why(change: &Change, all: &[Change]) -> String {
    match change {
        Change::MissingExchange { .. } | Change::MissingBinding(_) => "is missing".to_owned(),
        Change::MissingQueue { name, renamed_from } => {
            let said = |old: &String| {
                all.iter().any(|one| matches!(one, Change::RenamedQueue { name, .. } if name == old))
            };
            let renamed = renamed_from.as_ref().map(|old| match said(old) {
                true => format!("; it takes over the messages of {old}"),
                false => format!("; its bindings are those of {old}: was the handler renamed? `formerly` takes the messages over"),
            });
            format!("is missing{}{}", with_bindings(name, all), renamed.unwrap_or_default())
        }
        Change::DifferentExchange { differences, .. } => list(differences),
        Change::DifferentQueue { found, .. } => {
            format!("{}; {}", list(&found.differences), load(found.messages, found.consumers))
        }
        Change::LeftBinding(_) | Change::LeftExchange { .. } => "is ours, and no handler wants it".to_owned(),
        Change::LeftQueue { found, .. } => {
            format!("is ours, and no handler wants it; {}", load(found.messages, found.consumers))
        }
        Change::RenamedQueue { to, found, .. } => {
            format!("was renamed: its messages are moved to {to}; {}", load(found.messages, found.consumers))
        }
        Change::MissingForeign { .. } => "is missing, and others have to declare it".to_owned(),
        Change::UnfitExchange { differences, .. } => format!("belongs to others; {}", list(differences)),
        Change::ForeignBinding(_) => "is not ours: somebody else made it".to_owned(),
    }
}

fn with_bindings(queue: &str, all: &[Change]) -> String {
    let keys: Vec<_> = all
        .iter()
        .filter_map(|change| match change {
            Change::MissingBinding(binding) if binding.destination == queue => {
                Some(format!("{} {}", binding.source, binding.routing_key))
            }
            _ => None,
        })
        .collect();
    if keys.is_empty() { String::new() } else { format!(", bound to {}", keys.join(", ")) }
}

fn list(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What is in a queue, and who uses it.
pub(super) fn load(messages: u64, consumers: u32) -> String {
    format!("{}, {}", report::count(messages, "message"), report::count(consumers.into(), "consumer"))
}

fn remedies(changes: &[Change]) -> String {
    let count = |remedy: Remedy| changes.iter().filter(|change| change.remedy() == remedy).count();
    let lines = [
        (Remedy::Declare, "+", "missing", "topology apply"),
        (
            Remedy::Recreate,
            "~",
            "different",
            "topology apply --recreate=changed, which deletes their messages",
        ),
        (Remedy::Prune, "-", "left behind", "topology apply --prune, when empty and unused"),
        (Remedy::Owner, "!", "of others", "its owner has to declare it, or the code has to say what it is"),
        (Remedy::None, "?", "foreign", "stays as it is"),
    ];
    let lines = lines.into_iter().filter(|(remedy, ..)| count(*remedy) > 0);
    lines.map(|(remedy, sign, word, way)| format!("{sign} {} {word}: {way}\n", count(remedy))).collect()
}

/// The same for programs.
pub(super) fn document(provision: &Provision, drift: &Drift, doomed: &[Doomed]) -> String {
    let changes: Vec<_> = drift.changes.iter().map(value).collect();
    let document = json!({
        "schema": "bus.topology-diff/1",
        "app": provision.owner.app,
        "server": drift.server,
        "unseen": drift.unseen,
        "items": changes,
        "doomed": doomed.iter().map(doomed_value).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

/// What would be deleted, or was.
pub(super) fn doomed_value(doomed: &Doomed) -> Value {
    match doomed {
        Doomed::Queue { name, messages, consumers } => {
            json!({ "queue": name, "messages": messages, "consumers": consumers })
        }
        Doomed::Exchange { name } => json!({ "exchange": name }),
    }
}

pub(super) fn value(change: &Change) -> Value {
    let differences = |differences: &[Difference]| -> Vec<_> {
        let value = |one: &Difference| json!({ "argument": one.argument, "wanted": one.wanted, "current": one.current });
        differences.iter().map(value).collect()
    };
    match change {
        Change::MissingExchange { name } => json!({ "change": "missing", "exchange": name }),
        Change::MissingQueue { name, renamed_from } => {
            json!({ "change": "missing", "queue": name, "renamed_from": renamed_from })
        }
        Change::MissingBinding(binding) => json!({ "change": "missing", "binding": binding }),
        Change::DifferentExchange { name, differences: all } => {
            json!({ "change": "different", "exchange": name, "differences": differences(all) })
        }
        Change::DifferentQueue { name, found } => json!({
            "change": "different", "queue": name, "differences": differences(&found.differences),
            "messages": found.messages, "consumers": found.consumers,
        }),
        Change::LeftBinding(binding) => json!({ "change": "left", "binding": binding }),
        Change::LeftQueue { name, found } => {
            json!({ "change": "left", "queue": name, "messages": found.messages, "consumers": found.consumers })
        }
        Change::RenamedQueue { name, to, found } => json!({
            "change": "renamed", "queue": name, "to": to,
            "messages": found.messages, "consumers": found.consumers,
        }),
        Change::LeftExchange { name } => json!({ "change": "left", "exchange": name }),
        Change::MissingForeign { what, name } => json!({ "change": "missing_of_others", (*what): name }),
        Change::UnfitExchange { name, differences: all } => {
            json!({ "change": "unfit", "exchange": name, "differences": differences(all) })
        }
        Change::ForeignBinding(binding) => json!({ "change": "foreign", "binding": binding }),
    }
}
