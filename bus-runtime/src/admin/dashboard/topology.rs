//! Exchanges, bindings, queues and handlers: as the code wants them, and how the broker differs.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Serialize;

use super::gate;
use super::page;
use super::parts;
use super::problem::Problem;
use super::visit::Visit;
use crate::app::Running;
use crate::cli::drift::{self, Line};
use crate::provision::{Apply, Provision};
use crate::topology::diff::Remedy;

/// Where things stand in the picture, in its own units.
const ROW: usize = 34;
const EXCHANGE: (usize, usize) = (10, 140);
const QUEUE: (usize, usize) = (420, 330);
const HANDLER: (usize, usize) = (800, 290);
const WIDTH: usize = 1100;

#[derive(Serialize)]
struct View {
    server: String,
    edges: Vec<Edge>,
    differences: Vec<Difference>,
    unseen: Option<String>,
    /// Whether something can be declared without harm.
    can_apply: bool,
}

/// An exchange, what binds it, a queue and its handler.
#[derive(Debug, Serialize)]
struct Edge {
    exchange: String,
    binding: String,
    queue: String,
    handler: String,
}

#[derive(Debug, Serialize)]
struct Difference {
    sign: char,
    what: String,
    why: String,
}

impl Difference {
    fn of(line: Line) -> Self {
        Self { sign: line.sign, what: line.what, why: line.why }
    }
}

fn provision(visit: &Visit, running: &Running) -> Result<Provision, Problem> {
    let owner = visit.shown(running)?.owner.clone();
    Ok(Provision::new(std::sync::Arc::clone(&running.hub.transport), &running.plan, owner))
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let running = visit.running()?;
    let drift = provision(&visit, &running)?.diff().await?;
    let edges = running.plan.handlers.iter().flat_map(|entry| {
        entry.keys.iter().map(|key| Edge {
            exchange: entry.exchange.to_string(),
            binding: key.text.clone(),
            queue: entry.queue.to_string(),
            handler: entry.name.clone(),
        })
    });
    let view = View {
        server: drift.server.clone(),
        edges: edges.collect(),
        can_apply: drift.changes.iter().any(|change| change.remedy() == Remedy::Declare),
        differences: drift::lines(&drift.changes).into_iter().map(Difference::of).collect(),
        unseen: drift.unseen,
    };
    let drifting: Vec<String> = view.differences.iter().map(|difference| difference.what.clone()).collect();
    Ok(page::show(&visit, "topology", "Topology", &view, |view| whole(&visit, view, &drifting)))
}

fn whole(visit: &Visit, view: &View, drifting: &[String]) -> Markup {
    html! {
        (parts::title("Topology", html! { span.soft { (view.server) } }))
        @if view.differences.is_empty() {
            div class="note-box good" { p { "The broker has what the code wants." } }
        } @else {
            section.card {
                header {
                    h2 { "Code and broker differ" }
                    div.push { @if view.can_apply { (gate::button(visit.may_act(), "/topology/apply", "Declare what is missing", Some("Declare what is missing? Nothing is deleted."))) } }
                }
                (parts::bare_table(&["Sign", "What", "How it differs"], html! {
                    @for difference in &view.differences { tr {
                        td.key { (difference.sign) }
                        td.key { (difference.what) }
                        td.wide { (difference.why) }
                    } }
                }))
                div.in { p.soft { small { code { "+" } " is missing · " code { "~" } " is declared otherwise: `setup --recreate` · " code { "-" } " was left behind: `topology apply --prune` · " code { "!" } " belongs to others" } } }
            }
        }
        @if let Some(why) = &view.unseen { p.soft { small { "Bindings made by hand are not seen: " (why) "." } } }
        @if view.edges.is_empty() {
            (parts::empty(html! { p { "This program has no handlers, so it declares nothing." } }))
        } @else {
            section.card {
                header { h2 { "What the code wants" } div.push { small.soft { "exchange → binding key → queue → handler" } } }
                div.scroll tabindex="0" { div.in { (graph(&view.edges, drifting)) } }
            }
        }
    }
}

/// The queues in their order, and the exchanges beside the middle of theirs.
fn graph(edges: &[Edge], drifting: &[String]) -> Markup {
    let place = |at: usize| at * ROW + ROW / 2 + 4;
    let mut sorted: Vec<&Edge> = edges.iter().collect();
    sorted.sort_by(|one, other| (&one.exchange, &one.queue).cmp(&(&other.exchange, &other.queue)));
    let mut exchanges: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, edge) in sorted.iter().enumerate() {
        exchanges.entry(&edge.exchange).or_default().push(at);
    }
    let middle = |rows: &[usize]| place(rows.iter().sum::<usize>() / rows.len().max(1));
    let height = sorted.len() * ROW + 8;
    let drifts = |name: &str| drifting.iter().any(|what| what.ends_with(name));
    html! {
        svg.graph viewBox=(format!("0 0 {WIDTH} {height}")) role="group" aria-label="Exchanges, queues and handlers" {
            @for rows in exchanges.values() {
                @let from = (EXCHANGE.0 + EXCHANGE.1, middle(rows));
                @for at in rows {
                    @let to = (QUEUE.0, place(*at));
                    @let class = if drifts(&sorted[*at].queue) { "edge drift" } else { "edge" };
                    path class=(class) d=(format!("M{} {} C{} {} {} {} {} {}", from.0, from.1, from.0 + 40, from.1, from.0 + 10, to.1, from.0 + 50, to.1)) {}
                    path class=(class) d=(format!("M{} {} L{} {}", from.0 + 50, to.1, to.0, to.1)) {}
                    path class="edge" d=(format!("M{} {} L{} {}", QUEUE.0 + QUEUE.1, to.1, HANDLER.0, to.1)) {}
                }
            }
            @for (name, rows) in &exchanges { (node("box exchange", EXCHANGE, middle(rows), name, "")) }
            @for (at, edge) in sorted.iter().enumerate() {
                @let y = place(at);
                text.minor x=(EXCHANGE.0 + EXCHANGE.1 + 56) y=(y - 5) { (cut(&edge.binding, 28)) title { (edge.binding) } }
                (node("box", QUEUE, y, &edge.queue, &format!("/queues/{}", parts::segment(&edge.queue))))
                (node("box", HANDLER, y, &edge.handler, &format!("/handlers/{}", parts::segment(&edge.handler))))
            }
        }
    }
}

fn node(class: &str, (x, width): (usize, usize), y: usize, name: &str, link: &str) -> Markup {
    // Seven units are a little less than a letter is wide, at this size.
    let shown = cut(name, (width - 16) / 8);
    let content = html! {
        rect class=(class) x=(x) y=(y - 12) width=(width) height="24" rx="4" {}
        text x=(x + 8) y=(y + 4) { (shown) title { (name) } }
    };
    html! { @if link.is_empty() { g { (content) } } @else { a href=(link) { (content) } } }
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => format!("{}…", text.chars().take(most - 1).collect::<String>()),
        None => text.to_owned(),
    }
}

pub(super) async fn apply(visit: Visit) -> Result<Response, Problem> {
    let running = visit.running()?;
    let applied = provision(&visit, &running)?.apply(&Apply::default()).await?;
    let result = format!("{} declared, {} left", applied.declared.len(), applied.left.changes.len());
    visit.note("topology apply", "", &result);
    Ok(match visit.json {
        true => page::as_json(
            &serde_json::json!({ "declared": applied.declared.len(), "left": applied.left.changes.len() }),
        ),
        false => Redirect::to("/topology").into_response(),
    })
}
