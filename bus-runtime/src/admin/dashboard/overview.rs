//! The first page: how it is, what is wrong, and what goes on.

use axum::response::Response;
use maud::{Markup, html};
use serde::Serialize;

use super::handlers::{self, HandlerRow};
use super::page;
use super::parts;
use super::problem::Problem;
use super::visit::Visit;
use crate::app::{Health, Running};
use crate::counters::Stats;
use crate::names::QueueName;

#[derive(Serialize)]
struct Overview {
    app: String,
    worker: String,
    health: Health,
    per_second: f64,
    failed_lately: u64,
    in_flight: u64,
    waiting: Option<u64>,
    dead_letters: Option<u64>,
    published: u64,
    unroutable: u64,
    warnings: Vec<Warning>,
    handlers: Vec<HandlerRow>,
}

/// Something that an operator should know, and where to look.
#[derive(Debug, Serialize)]
struct Warning {
    text: String,
    help: String,
    link: String,
}

async fn overview(visit: &Visit, running: &Running) -> Overview {
    let depths = visit.desk.depths.of(running).await;
    let sum = |names: &mut dyn Iterator<Item = &QueueName>| -> Option<u64> {
        let mut names: Vec<&QueueName> = names.collect();
        names.sort();
        names.dedup();
        let states = names.into_iter().filter_map(|name| depths.get(name).map(|state| state.ready));
        (!depths.is_empty()).then(|| states.sum())
    };
    let stats = running.stats();
    let mut handlers = handlers::rows(running, &stats);
    let waiting = sum(&mut running.plan.queues.iter().map(|queue| &queue.name));
    let dead_letters = sum(&mut running.plan.queues.iter().map(|queue| &queue.dead));
    let failed_lately = handlers.iter().flat_map(|row| &row.steps).map(|step| u64::from(step.failed)).sum();
    let overview = Overview {
        app: running.hub.app_id.to_string(),
        worker: running.hub.worker.clone(),
        health: running.health(),
        per_second: handlers.iter().map(|row| row.per_second).sum(),
        failed_lately,
        in_flight: running.hub.in_flight.count() as u64,
        waiting,
        dead_letters,
        published: stats.published,
        unroutable: stats.unroutable,
        warnings: warnings(running, &stats, &handlers, dead_letters),
        handlers: Vec::new(),
    };
    handlers.sort_by_key(|row| std::cmp::Reverse(row.trouble()));
    Overview { handlers, ..overview }
}

fn warnings(
    running: &Running,
    stats: &Stats,
    handlers: &[HandlerRow],
    dead_letters: Option<u64>,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if let Some(count) = dead_letters.filter(|count| *count > 0) {
        warnings.push(Warning {
            text: format!("{} dead letters wait for a decision", parts::grouped(count)),
            help: "See why, mend the cause, and replay them.".to_owned(),
            link: "/dead-letters".to_owned(),
        });
    }
    for (entry, stats) in running.plan.handlers.iter().zip(&stats.handlers) {
        let link = format!("/handlers/{}", parts::segment(&entry.name));
        if stats.stuck > 0 {
            warnings.push(Warning {
                text: format!("{} calls of {} have timed out and go on", stats.stuck, entry.name),
                help: "A plain fn cannot be interrupted: each keeps its slot until it returns.".to_owned(),
                link: link.clone(),
            });
        }
        let busy = handlers.iter().any(|row| row.name == entry.name && row.per_second > 0.0);
        if busy && stats.slot_wait.as_secs() > 60 && stats.slot_wait.as_secs() * 1000 / 2 > stats.called {
            warnings.push(Warning {
                text: format!("messages of {} wait for a free slot", entry.name),
                help: "Raise its concurrency, or run another worker.".to_owned(),
                link,
            });
        }
    }
    warnings
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let running = visit.running()?;
    let view = overview(&visit, &running).await;
    Ok(page::show(&visit, "overview", "Overview", &view, html))
}

fn html(view: &Overview) -> Markup {
    html! {
        (parts::title("Overview", html! { span.soft { (view.worker) } }))
        div id="problems" data-live { (problems(view)) }
        div.tiles id="tiles" data-live {
            (tile("/live", "Handled a second", &parts::rate(view.per_second), "mean of 10 s", ""))
            (tile("/failures", "Failed", &parts::grouped(view.failed_lately), "attempts in 2 min", if view.failed_lately > 0 { "bad" } else { "" }))
            (tile("/queues", "Waiting", &known(view.waiting), "in all queues", ""))
            (tile("/handlers", "In flight", &parts::grouped(view.in_flight), "being handled now", ""))
            (tile("/dead-letters", "Dead letters", &known(view.dead_letters), "to decide about", if view.dead_letters.unwrap_or_default() > 0 { "bad" } else { "" }))
            (tile("/publish", "Published", &parts::grouped(view.published), &format!("{} of them to nobody", parts::grouped(view.unroutable)), ""))
        }
        div id="handlers" data-live {
            @if view.handlers.is_empty() {
                (parts::empty(html! { p { "This program has no handlers: it only publishes." } }))
            } @else if view.handlers.iter().all(|row| row.handled + row.failed + row.dead_lettered == 0) {
                (parts::empty(html! {
                    p { "No messages yet. Send one:" }
                    p { code { (view.app) " publish wiki.page.saved '{\"page\":\"home\"}'" } }
                    p { "or from " a href="/publish" { "this page" } "." }
                }))
                (handlers::table(&view.handlers))
            } @else { (handlers::table(&view.handlers)) }
        }
    }
}

fn problems(view: &Overview) -> Markup {
    html! {
        @if view.health.problems.is_empty() && view.warnings.is_empty() {
            div class="note-box good" { p { "All is well: every queue is consumed, and nothing waits for a decision." } }
        }
        @if !view.health.problems.is_empty() {
            div class="note-box bad" role="alert" {
                p { strong { "Not as it should be" } }
                ul { @for problem in &view.health.problems { li { (problem) } } }
            }
        }
        @for warning in &view.warnings {
            div class="note-box warn" {
                p { a href=(warning.link) { (warning.text) } ". " span.soft { (warning.help) } }
            }
        }
    }
}

fn known(number: Option<u64>) -> String {
    number.map_or_else(|| "–".to_owned(), parts::grouped)
}

fn tile(link: &str, name: &str, value: &str, note: &str, class: &str) -> Markup {
    html! {
        a.tile href=(link) {
            div.name { (name) }
            div class=(format!("value {class}")) { (value) }
            div.note { (note) }
        }
    }
}
