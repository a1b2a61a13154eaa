//! The handlers: all of them, and each one by itself.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Path;
use axum::response::Response;
use maud::{Markup, html};
use serde::Serialize;

use super::messages::{self, Row};
use super::page;
use super::parts::{self, alarm, number};
use super::problem::Problem;
use super::visit::Visit;
use crate::app::Running;
use crate::breaker::BreakerState;
use crate::counters::{Counters, Distribution, HandlerStats, Histogram, Stats};
use crate::history::Step;
use crate::policy::AckMode;
use crate::topology::HandlerEntry;

/// The seconds of a small picture, and those that a rate is the mean of.
const SPARK_SECONDS: usize = 120;
const RATE_SECONDS: usize = 10;
/// The messages that the page of one handler shows.
const MESSAGES_SHOWN: usize = 50;

/// One handler as a row.
#[derive(Debug, Serialize)]
pub(super) struct HandlerRow {
    pub(super) name: String,
    pub(super) kind: &'static str,
    bindings: Vec<String>,
    pub(super) queue: String,
    file: &'static str,
    line: u32,
    pub(super) per_second: f64,
    pub(super) handled: u64,
    pub(super) failed: u64,
    pub(super) retried: u64,
    pub(super) dead_lettered: u64,
    in_flight: u64,
    breaker: &'static str,
    #[serde(skip)]
    pub(super) steps: Vec<Step>,
}

impl HandlerRow {
    /// What an operator should look at first.
    pub(super) fn trouble(&self) -> u64 {
        let open = u64::from(self.breaker != BreakerState::Closed.as_str());
        let lately =
            self.steps.iter().map(|step| u64::from(step.failed) + u64::from(step.dead) * 10).sum::<u64>();
        open * 1_000_000 + lately
    }
}

/// All handlers, in the order of the plan.
pub(super) fn rows(running: &Running, stats: &Stats) -> Vec<HandlerRow> {
    let all = running.plan.handlers.iter().zip(&stats.handlers).enumerate();
    all.map(|(at, (entry, stats))| row(running, at, entry, stats)).collect()
}

fn row(running: &Running, at: usize, entry: &HandlerEntry, stats: &HandlerStats) -> HandlerRow {
    let steps: Vec<Step> =
        running.hub.history.rates(|rates| rates.last(at, SPARK_SECONDS).collect()).unwrap_or_default();
    HandlerRow {
        name: entry.name.clone(),
        kind: entry.kind.as_str(),
        bindings: entry.keys.iter().map(|key| key.text.clone()).collect(),
        queue: entry.queue.to_string(),
        file: entry.place.file,
        line: entry.place.line,
        per_second: per_second(&steps),
        handled: stats.handled,
        failed: stats.failed,
        retried: stats.retried,
        dead_lettered: stats.dead_lettered,
        in_flight: running.counters.get(at).map_or(0, |counters| counters.in_flight.get()),
        breaker: stats.breaker.as_str(),
        steps,
    }
}

/// The mean of the last seconds.
#[expect(clippy::cast_precision_loss, reason = "a rate is rounded anyway")]
fn per_second(steps: &[Step]) -> f64 {
    let last = &steps[steps.len().saturating_sub(RATE_SECONDS)..];
    let handled: u64 = last.iter().map(|step| u64::from(step.handled)).sum();
    handled as f64 / last.len().max(1) as f64
}

/// A picture of what was handled and what failed.
pub(super) fn picture(steps: &[Step], class: &str) -> Markup {
    let handled: Vec<u32> = steps.iter().map(|step| step.handled).collect();
    let failed: Vec<u32> = steps.iter().map(|step| step.failed).collect();
    parts::spark(&handled, &failed, class)
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let rows = {
        let running = visit.running()?;
        rows(&running, &running.stats())
    };
    Ok(page::list(&visit, "handlers", "Handlers", &rows, |rows| {
        html! {
            (parts::title("Handlers", html! { span.soft { (rows.len()) " in this program" } }))
            @if rows.is_empty() {
                (parts::empty(html! { p { "This program has no handlers: it only publishes." } }))
            } @else { div id="handlers" data-live { (table(rows)) } }
        }
    }))
}

/// The table of handlers.
pub(super) fn table(rows: &[HandlerRow]) -> Markup {
    let titles = ["Handler", "Receives", "Last 2 min", "#/s", "#Handled", "#Failed", "#Dead", "#In flight"];
    parts::table(
        &titles,
        html! {
            @for row in rows {
                tr {
                    td {
                        a href=(format!("/handlers/{}", parts::segment(&row.name))) { (row.name) }
                        small.soft { (row.file) ":" (row.line) }
                    }
                    td {
                        span.tag { (row.kind) } " "
                        @for key in &row.bindings { span.key { (key) } " " }
                        @if row.breaker != "closed" { span class="pill bad" { "breaker " (row.breaker) } }
                    }
                    td { (picture(&row.steps, "")) }
                    td.n { (parts::rate(row.per_second)) }
                    td.n { (number(row.handled)) }
                    td.n { (alarm(row.failed)) }
                    td.n { (alarm(row.dead_lettered)) }
                    td.n { (number(row.in_flight)) }
                }
            }
        },
    )
}

#[derive(Serialize)]
struct One {
    #[serde(flatten)]
    row: HandlerRow,
    payload: Option<&'static str>,
    options: Vec<(&'static str, String)>,
    times: Vec<(&'static str, String)>,
    messages: Vec<Row>,
}

pub(super) async fn one(visit: Visit, Path(name): Path<String>) -> Result<Response, Problem> {
    let running = visit.running()?;
    let found = running.plan.handlers.iter().position(|entry| entry.name == name);
    let Some((at, entry)) = found.and_then(|at| Some((at, running.plan.handlers.get(at)?))) else {
        return Err(Problem::not_found(format!("There is no handler `{name}`.")));
    };
    let stats = running.stats().handlers.swap_remove(at);
    let messages =
        running.hub.history.messages().into_iter().filter(|passed| Arc::ptr_eq(&passed.handler, entry));
    let view = One {
        row: row(&running, at, entry, &stats),
        payload: entry.payload(),
        options: options(entry),
        times: running.counters.get(at).map(|counters| times(counters)).unwrap_or_default(),
        messages: messages.take(MESSAGES_SHOWN).map(|passed| Row::of(&passed)).collect(),
    };
    let minutes: Vec<Step> =
        running.hub.history.rates(|rates| rates.last(at, usize::MAX).collect()).unwrap_or_default();
    Ok(page::show(&visit, "handlers", &name, &view, |view| whole(view, &minutes, entry)))
}

fn whole(view: &One, minutes: &[Step], entry: &HandlerEntry) -> Markup {
    let row = &view.row;
    html! {
        (parts::title_in(("/handlers", "Handlers"), &row.name, html! { span.tag { (row.kind) } }))
        div.tiles id="tiles" data-live {
            (tile("Handled a second", &parts::rate(row.per_second), "mean of 10 s"))
            (tile("Handled", &parts::grouped(row.handled), "since the start"))
            (tile("Failed attempts", &parts::grouped(row.failed), &format!("{} tried again", parts::grouped(row.retried))))
            (tile("Dead letters", &parts::grouped(row.dead_lettered), "since the start"))
            @for (name, time) in &view.times { (tile(name, time, "of one call")) }
        }
        (parts::card("Ten minutes", html! { small.soft { "handled, and failed in red" } }, html! {
            div id="minutes" data-live { (picture(minutes, "chart")) }
        }))
        div.two {
            (parts::card("Wiring", html! {}, html! {
                dl.facts {
                    dt { "Place" } dd.key { (row.file) ":" (row.line) }
                    dt { "Exchange" } dd.key { (entry.exchange) }
                    dt { "Receives" } dd { @for key in &row.bindings { span.key { (key) } " " } }
                    dt { "Queue" } dd.key { a href=(format!("/queues/{}", parts::segment(&row.queue))) { (row.queue) } }
                    dt { "Dead letters" } dd.key { a href=(format!("/dead-letters?queue={}", parts::segment(&row.queue))) { (entry.dead) } }
                    @if let Some(payload) = view.payload { dt { "Takes" } dd.key { (payload) } }
                    @if let Some(message) = &entry.message { dt { "Message" } dd.key { (message.topic) " v" (message.version) } }
                }
            }))
            (parts::card("Options", html! {}, html! {
                dl.facts { @for (name, value) in &view.options { dt { (name) } dd { (value) } } }
            }))
        }
        section.card {
            header { h2 { "Last messages" } div.push { a href="/live" { "Live" } } }
            div id="messages" data-live { (messages::rows(&view.messages)) }
        }
    }
}

fn tile(name: &str, value: &str, note: &str) -> Markup {
    html! { div.tile { div.name { (name) } div.value { (value) } div.note { (note) } } }
}

/// What the handler's options are in effect.
fn options(entry: &HandlerEntry) -> Vec<(&'static str, String)> {
    let retry = &entry.retry;
    let retries = match retry.max {
        0 => "none".to_owned(),
        max => format!(
            "{max}, the first after {}, × {}, at most {}",
            parts::time(retry.initial),
            retry.factor,
            parts::time(retry.max_delay)
        ),
    };
    let ack = match entry.ack {
        AckMode::OnSuccess => "on success",
        AckMode::OnReceive => "on receive",
        AckMode::Manual => "manual",
    };
    let mut options = vec![
        ("timeout", entry.timeout.map_or_else(|| "none".to_owned(), parts::time)),
        ("retries", retries),
        ("ack", ack.to_owned()),
        ("concurrency", entry.concurrency.to_string()),
        ("prefetch", entry.prefetch.to_string()),
        ("group", entry.group.clone()),
    ];
    if entry.priority != 0 {
        options.push(("priority", entry.priority.to_string()));
    }
    if let Some(breaker) = &entry.breaker {
        let text = format!(
            "opens after {} failures in {}, for {}",
            breaker.failures,
            parts::time(breaker.window),
            parts::time(breaker.pause)
        );
        options.push(("breaker", text));
    }
    if let Some(limit) = &entry.rate_limit {
        options.push(("rate limit", format!("{limit:?}")));
    }
    if let Some(batch) = &entry.batch {
        options.push(("batch", format!("up to {}, within {}", batch.size, parts::time(batch.wait))));
    }
    options
}

/// How long calls took, in words: nothing before the first one.
fn times(counters: &Counters) -> Vec<(&'static str, String)> {
    let all = counters.durations.iter().map(Histogram::read).reduce(Distribution::with).unwrap_or_default();
    let quantile = |share| Some(parts::time(Duration::try_from_secs_f64(all.quantile(share)?).ok()?));
    let named =
        [("50 % within", quantile(0.5)), ("95 % within", quantile(0.95)), ("99 % within", quantile(0.99))];
    named.into_iter().filter_map(|(name, time)| Some((name, time?))).collect()
}
