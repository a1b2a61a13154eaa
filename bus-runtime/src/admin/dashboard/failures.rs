//! What has failed of late, grouped by what went wrong.

use std::collections::BTreeMap;

use axum::response::Response;
use maud::html;
use serde::Serialize;

use super::messages::Row;
use super::page;
use super::parts::{self, Time};
use super::problem::Problem;
use super::visit::Visit;
use crate::dead_letters::fingerprint;

/// Failures that look alike: the same handler, the same type of error, and the same text but for numbers and names.
#[derive(Debug, Serialize)]
struct Group {
    name: String,
    handler: String,
    file: &'static str,
    line: u32,
    error_type: String,
    count: u64,
    messages: u64,
    first: Time,
    last: Time,
    example: Row,
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let running = visit.running()?;
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    // The newest first: the example is the last one.
    for passed in running.hub.history.failures() {
        let Some((error, error_type)) = &passed.error else { continue };
        let name = fingerprint::of(&[&passed.handler.name, error_type], error);
        let group = groups.entry(name.clone()).or_insert_with(|| Group {
            name,
            handler: passed.handler.name.clone(),
            file: passed.handler.place.file,
            line: passed.handler.place.line,
            error_type: error_type.clone(),
            count: 0,
            messages: 0,
            first: Time(passed.at),
            last: Time(passed.at),
            example: Row::of(&passed),
        });
        group.count += 1;
        group.messages += u64::from(passed.metadata.attempt() == 1);
        group.first = Time(passed.at).min(group.first);
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    Ok(page::list(&visit, "failures", "Failures", &groups, |groups| {
        html! {
            (parts::title("Failures", html! { span.soft { "of the last 500 failed attempts of this process" } }))
            div id="failures" data-live {
                @if groups.is_empty() {
                    (parts::empty(html! { p { "Nothing has failed." } p { "Whatever fails from now on is grouped here by what went wrong." } }))
                } @else {
                    (parts::table(&["What", "Handler", "#Attempts", "#Messages", "Last", "First"], html! {
                        @for group in groups {
                            tr {
                                td.wide {
                                    a href=(format!("/messages/{}", group.example.number)) { (parts::error_type(&group.error_type).unwrap_or("error")) }
                                    small.soft { (group.example.error.as_deref().unwrap_or_default()) }
                                }
                                td {
                                    a href=(format!("/handlers/{}", parts::segment(&group.handler))) { (group.handler) }
                                    small.soft { (group.file) ":" (group.line) }
                                }
                                td.n { span.bad { (parts::grouped(group.count)) } }
                                td.n { (parts::grouped(group.messages)) }
                                td.nowrap { (group.last) }
                                td.nowrap { (group.first) }
                            }
                        }
                    }))
                }
            }
            p.soft { "Whatever has no attempt left is with the " a href="/dead-letters" { "dead letters" } ", also of other processes." }
        }
    }))
}
