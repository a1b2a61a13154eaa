//! `handlers explain`: who receives a routing key, who does not, and why.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{Output, report};
use crate::names::RoutingKey;
use crate::topology::{HandlerEntry, Plan};

/// Options of `handlers explain`.
#[derive(Args, Clone, Debug)]
pub(super) struct ExplainArgs {
    /// The routing key, such as wiki.page.saved
    key: String,
    /// Only this exchange, such as react
    #[arg(short, long)]
    exchange: Option<String>,
}

pub(super) fn explain(plan: &Plan, arguments: &ExplainArgs, format: Output) -> ExitCode {
    let key = match RoutingKey::new(&arguments.key) {
        Ok(key) => key,
        Err(error) => return report::failed(&[error.into()]),
    };
    let asked: Vec<_> = plan
        .handlers
        .iter()
        .filter(|entry| arguments.exchange.as_deref().is_none_or(|exchange| entry.exchange == exchange))
        .map(|entry| (entry, reasons(entry, &key)))
        .collect();
    report::print(&match format {
        Output::Table => text(&key, &asked),
        Output::Json => document(&key, &asked),
        Output::Jsonl => report::compact(&document(&key, &asked)),
    })
}

/// Why the handler does not receive the key, by each of its binding keys; empty when it does.
fn reasons(entry: &HandlerEntry, key: &str) -> Vec<String> {
    let mismatches: Vec<_> = entry.keys.iter().map(|binding| binding.key.explain(key)).collect();
    if mismatches.iter().any(Result::is_ok) {
        return Vec::new();
    }
    let told = entry.keys.iter().zip(mismatches);
    told.filter_map(|(binding, mismatch)| Some(format!("{}: {}", binding.text, mismatch.err()?))).collect()
}

type Asked<'p> = (&'p std::sync::Arc<HandlerEntry>, Vec<String>);

fn text(key: &str, asked: &[Asked<'_>]) -> String {
    let receivers = asked.iter().filter(|(_, reasons)| reasons.is_empty()).count();
    let mut text = match receivers {
        0 => format!("nobody receives `{key}`\n"),
        1 => format!("1 handler receives `{key}`\n"),
        many => format!("{many} handlers receive `{key}`\n"),
    };
    for (entry, reasons) in asked {
        let mark = if reasons.is_empty() { '+' } else { '-' };
        text.push_str(&format!("  {mark} {} {}\n", entry.exchange, entry.name));
        for reason in reasons {
            text.push_str(&format!("      {reason}\n"));
        }
    }
    text
}

fn document(key: &str, asked: &[Asked<'_>]) -> String {
    let items: Vec<_> = asked
        .iter()
        .map(|(entry, reasons)| {
            json!({
                "name": entry.name,
                "exchange": entry.exchange.as_str(),
                "queue": entry.queue.as_str(),
                "receives": reasons.is_empty(),
                "reasons": reasons,
            })
        })
        .collect();
    format!("{:#}\n", json!({ "schema": "bus.explain/1", "key": key, "items": items }))
}
