//! Who receives a routing key, who does not, and why.

use std::collections::BTreeSet;

use axum::response::Response;
use maud::{Markup, html};
use serde::Serialize;

use super::page;
use super::parts;
use super::problem::Problem;
use super::visit::Visit;
use crate::app::Running;
use crate::names::RoutingKey;
use crate::topology::HandlerEntry;

/// The keys that are offered while somebody types.
const OFFERED_MAX: usize = 50;
/// The bindings that come nearest without matching.
const NEAR_MAX: usize = 20;

#[derive(Serialize)]
struct View {
    key: Option<String>,
    exchange: Option<String>,
    receivers: Vec<Tried>,
    others: Vec<Tried>,
}

/// A binding that was tried.
#[derive(Debug, Serialize)]
struct Tried {
    handler: String,
    queue: String,
    exchange: String,
    binding: String,
    /// Why it does not match.
    why: Option<String>,
    #[serde(skip)]
    common: usize,
}

fn tried(entry: &HandlerEntry, key: &str) -> Vec<Tried> {
    let all = entry.keys.iter().map(|binding| Tried {
        handler: entry.name.clone(),
        queue: entry.queue.to_string(),
        exchange: entry.exchange.to_string(),
        binding: binding.text.clone(),
        why: binding.key.explain(key).err().map(|mismatch| mismatch.to_string()),
        common: binding
            .key
            .as_str()
            .split('.')
            .zip(key.split('.'))
            .filter(|(one, other)| one == other)
            .count(),
    });
    all.collect()
}

fn try_all(running: &Running, key: &str, exchange: Option<&str>) -> (Vec<Tried>, Vec<Tried>) {
    let asked = running
        .plan
        .handlers
        .iter()
        .filter(|entry| exchange.is_none_or(|exchange| entry.exchange == exchange));
    let (receivers, mut others): (Vec<_>, Vec<_>) =
        asked.flat_map(|entry| tried(entry, key)).partition(|tried| tried.why.is_none());
    others.sort_by_key(|tried| std::cmp::Reverse(tried.common));
    others.truncate(NEAR_MAX);
    (receivers, others)
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let running = visit.running()?;
    let exchange = visit.get("exchange");
    let (key, (receivers, others)) = match visit.get("key") {
        Some(text) => {
            let key = RoutingKey::new(text).map_err(crate::Error::from)?;
            let tried = try_all(&running, &key, exchange);
            (Some(key.to_string()), tried)
        }
        None => (None, (Vec::new(), Vec::new())),
    };
    let view = View { key, exchange: exchange.map(str::to_owned), receivers, others };
    let exchanges: BTreeSet<&str> =
        running.plan.handlers.iter().map(|entry| entry.exchange.as_str()).collect();
    let seen = running.hub.history.messages();
    let seen: BTreeSet<&str> =
        seen.iter().map(|passed| passed.metadata.routing_key().as_str()).take(OFFERED_MAX).collect();
    Ok(page::show(&visit, "route", "Route tester", &view, |view| whole(view, &exchanges, &seen)))
}

fn whole(view: &View, exchanges: &BTreeSet<&str>, seen: &BTreeSet<&str>) -> Markup {
    html! {
        (parts::title("Route tester", html! {}))
        p.soft { "Type a routing key: who receives it, who does not, and which word decides." }
        form.row method="get" role="search" {
            input.grow type="search" name="key" value=(view.key.as_deref().unwrap_or_default()) placeholder="wiki.page.saved" aria-label="Routing key" list="seen" autocomplete="off" autofocus;
            datalist id="seen" { @for key in seen { option value=(key) {} } }
            select name="exchange" aria-label="Exchange" {
                option value="" { "every exchange" }
                @for exchange in exchanges { option value=(exchange) selected[view.exchange.as_deref() == Some(exchange)] { (exchange) } }
            }
            button.primary type="submit" { "Who gets it?" }
        }
        @if let Some(key) = &view.key {
            @if view.receivers.is_empty() {
                div class="note-box bad" {
                    p { strong { "Nobody receives " code { (key) } "." } }
                    p.soft { "On " code { "audit" } ", and as a task or a command, publishing it is an error; on " code { "react" } " and as an event it is counted and gone." }
                }
            } @else {
                (parts::card_of("Receives it", html! { a href=(format!("/publish?key={}&exchange={}", parts::segment(key), parts::segment(&view.receivers[0].exchange))) { "Publish to it" } }, table(&view.receivers, key)))
            }
            @if !view.others.is_empty() { (parts::card_of("Does not, and why", html! { small.soft { "the nearest first" } }, table(&view.others, key))) }
        }
    }
}

fn table(all: &[Tried], key: &str) -> Markup {
    parts::bare_table(
        &["Exchange", "Binding", "Handler", "Why"],
        html! {
            @for tried in all {
                tr {
                    td { (tried.exchange) }
                    td { (words(&tried.binding, key, tried.why.is_none())) }
                    td { a href=(format!("/handlers/{}", parts::segment(&tried.handler))) { (tried.handler) } small.soft { (tried.queue) } }
                    td.wide { @if let Some(why) = &tried.why { (why) } @else { span.good { "matches" } } }
                }
            }
        },
    )
}

/// The words of a binding, each with a colour: what matches and what does not.
fn words(binding: &str, key: &str, matches: bool) -> Markup {
    let mut found = key.split('.');
    let mut after_many = false;
    html! {
        span.words {
            @for word in binding.split('.') {
                @let is_one = word == "*" || word.starts_with('{');
                @let hit = match (word, after_many) {
                    ("#", _) => { after_many = true; matches }
                    (_, true) => matches || key.split('.').any(|found| found == word) || is_one,
                    (_, false) => found.next().is_some_and(|found| is_one || found == word),
                };
                span class=(if hit { "hit" } else { "miss" }) { (word) }
            }
        }
    }
}
