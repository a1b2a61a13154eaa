//! Who has changed what through the dashboard, and when.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::response::Response;
use maud::html;
use serde::Serialize;

use super::page;
use super::parts::{self, Time};
use super::problem::Problem;
use super::seam;
use super::visit::Visit;

/// Entries that are kept; the log has all of them.
const ENTRIES_MAX: usize = 500;

/// The last things that were done.
#[derive(Debug, Default)]
pub(super) struct AuditLog(Mutex<VecDeque<Entry>>);

#[derive(Clone, Debug, Serialize)]
struct Entry {
    at: Time,
    who: String,
    action: &'static str,
    target: String,
    result: String,
}

impl AuditLog {
    pub(super) fn note(&self, who: &str, action: &'static str, target: &str, result: &str) {
        tracing::info!(target: "bus::audit", who, action, on = target, result, "done through the dashboard");
        let entry = Entry {
            at: Time(seam::wall_clock()),
            who: who.to_owned(),
            action,
            target: target.to_owned(),
            result: result.to_owned(),
        };
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.truncate(ENTRIES_MAX - 1);
        entries.push_front(entry);
    }

    fn all(&self) -> Vec<Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let entries = visit.desk.log.all();
    Ok(page::list(&visit, "audit-log", "Audit log", &entries, |entries| {
        html! {
            (parts::title("Audit log", html! {}))
            p.soft { "What was done through the dashboard since this program started: the last " (ENTRIES_MAX) " entries. The program's log has them under the target " code { "bus::audit" } "." }
            @if entries.is_empty() {
                (parts::empty(html! { p { "Nobody has changed anything." } }))
            } @else {
                (parts::table(&["When", "Who", "What", "On", "Result"], html! {
                    @for entry in entries {
                        tr {
                            td.nowrap { (entry.at) }
                            td { (entry.who) }
                            td { (entry.action) }
                            td.key { (entry.target) }
                            td.wide { (entry.result) }
                        }
                    }
                }))
            }
        }
    }))
}
