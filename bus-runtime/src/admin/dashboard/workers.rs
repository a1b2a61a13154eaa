//! This process: what it is, what it needs, and what it has in hand.

use std::time::Duration;

use axum::response::Response;
use maud::html;
use serde::Serialize;

use super::page;
use super::parts;
use super::problem::Problem;
use super::visit::Visit;

#[derive(Serialize)]
struct Worker {
    name: String,
    process: u32,
    status: crate::app::Status,
    broker: String,
    handlers: usize,
    handled: u64,
    failed: u64,
    in_flight: Vec<Hand>,
}

#[derive(Serialize)]
struct Hand {
    handler: String,
    since_seconds: f64,
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let running = visit.running()?;
    let stats = running.stats();
    let transport = running.hub.transport.describe();
    let in_flight = running.hub.in_flight.all().into_iter();
    let worker = Worker {
        name: running.hub.worker.clone(),
        process: std::process::id(),
        status: running.health().status,
        broker: format!("{} {}", transport.server, transport.address),
        handlers: running.plan.handlers.len(),
        handled: stats.handlers.iter().map(|handler| handler.handled).sum(),
        failed: stats.handlers.iter().map(|handler| handler.failed).sum(),
        in_flight: in_flight
            .map(|(handler, since)| Hand {
                handler: handler.name.clone(),
                since_seconds: since.as_secs_f64(),
            })
            .collect(),
    };
    Ok(page::list(&visit, "workers", "Workers", &[worker], |workers| {
        html! {
            (parts::title("Workers", html! {}))
            @for worker in workers {
                section.card id="worker" data-live {
                    header { h2 { (worker.name) } div.push { (page::standing(worker.status)) } }
                    div.in {
                        dl.facts {
                            dt { "Process" } dd { (worker.process) }
                            dt { "Broker" } dd.key { (worker.broker) }
                            dt { "Handlers" } dd { a href="/handlers" { (worker.handlers) } }
                            dt { "Handled" } dd { (parts::grouped(worker.handled)) }
                            dt { "Failed attempts" } dd { (parts::alarm(worker.failed)) }
                        }
                    }
                    @if worker.in_flight.is_empty() { div.empty { p { "Nothing is in hand right now." } } }
                    @else {
                        (parts::bare_table(&["In hand", "#For"], html! {
                            @for hand in &worker.in_flight { tr {
                                td.wide { a href=(format!("/handlers/{}", parts::segment(&hand.handler))) { (hand.handler) } }
                                td.n { (parts::time(Duration::from_secs_f64(hand.since_seconds))) }
                            } }
                        }))
                    }
                }
            }
        }
    }))
}
