//! How differences between the code and the broker are printed.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::{Value, json};

use crate::app::App;
use crate::provision::{Doomed, Drift, Provision};
use crate::topology::diff::{Change, Difference, Remedy, SeenQueue};

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
    let width = changes.iter().map(|change| what(change).chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for change in changes {
        let line = format!("  {} {:<width$}  {}", sign(change), what(change), why(change));
        text.push_str(line.trim_end());
        text.push('\n');
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

fn sign(change: &Change) -> char {
    match change.remedy() {
        Remedy::Declare => '+',
        Remedy::Recreate => '~',
        Remedy::Prune => '-',
        Remedy::None => '?',
    }
}

/// What a change is about.
pub(super) fn what(change: &Change) -> String {
    match change {
        Change::MissingExchange { name }
        | Change::DifferentExchange { name, .. }
        | Change::LeftExchange { name } => format!("exchange {name}"),
        Change::MissingQueue { name, .. }
        | Change::DifferentQueue { name, .. }
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

/// Whether a change is about one of these names, or about a binding to one of them.
pub(super) fn is_of(change: &Change, names: &BTreeSet<&str>) -> bool {
    match change {
        Change::MissingExchange { name } | Change::MissingQueue { name, .. } => names.contains(name.as_str()),
        Change::MissingBinding(binding) => {
            names.contains(binding.destination.as_str()) || names.contains(binding.source.as_str())
        }
        _ => false,
    }
}

fn why(change: &Change) -> String {
    match change {
        Change::MissingExchange { .. } | Change::MissingBinding(_) => "is missing".to_owned(),
        Change::MissingQueue { renamed_from: None, .. } => "is missing".to_owned(),
        Change::MissingQueue { renamed_from: Some(old), .. } => {
            format!("is missing; has the bindings that {old} had: was the handler renamed?")
        }
        Change::DifferentExchange { differences, .. } => list(differences),
        Change::DifferentQueue { found, .. } => format!("{}; {}", list(&found.differences), load(found)),
        Change::LeftBinding(_) | Change::LeftExchange { .. } => "is ours, and no handler wants it".to_owned(),
        Change::LeftQueue { found, .. } => format!("is ours, and no handler wants it; {}", load(found)),
        Change::ForeignBinding(_) => "is not ours: somebody else made it".to_owned(),
    }
}

fn list(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn load(found: &SeenQueue) -> String {
    let plural = |count: u64| if count == 1 { "" } else { "s" };
    let (messages, consumers) = (found.messages, found.consumers);
    format!("{messages} message{}, {consumers} consumer{}", plural(messages), plural(consumers.into()))
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
        (Remedy::None, "?", "foreign", "stays as it is"),
    ];
    let lines = lines.into_iter().filter(|(remedy, ..)| count(*remedy) > 0);
    lines.map(|(remedy, sign, word, way)| format!("{sign} {} {word}: {way}\n", count(remedy))).collect()
}

/// The same for programs.
pub(super) fn document(provision: &Provision, drift: &Drift) -> String {
    let changes: Vec<_> = drift.changes.iter().map(value).collect();
    let document = json!({
        "schema": "bus.topology-diff/1",
        "app": provision.owner.app,
        "server": drift.server,
        "unseen": drift.unseen,
        "items": changes,
    });
    format!("{document:#}\n")
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
        Change::LeftExchange { name } => json!({ "change": "left", "exchange": name }),
        Change::ForeignBinding(binding) => json!({ "change": "foreign", "binding": binding }),
    }
}
