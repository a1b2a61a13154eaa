//! The queues: what waits, who consumes, and what may be done about it.

use std::collections::BTreeMap;

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Serialize;

use super::fields::Fields;
use super::gate;
use super::messages::{self, Row};
use super::page;
use super::parts::{self, alarm, number};
use super::problem::Problem;
use super::visit::Visit;
use crate::app::Running;
use crate::names::QueueName;
use crate::topology::QueueEntry;
use crate::transport::{QueueState, Standing};

/// The messages that the page of one queue shows.
const MESSAGES_SHOWN: usize = 50;

#[derive(Debug, Serialize)]
struct QueueRow {
    name: String,
    handlers: Vec<String>,
    ready: Option<u64>,
    consumers: Option<u32>,
    receiving: bool,
    why: Option<String>,
    paused: bool,
    dead_queue: String,
    dead: Option<u64>,
    queue_type: &'static str,
    foreign: bool,
}

async fn rows(visit: &Visit, running: &Running) -> Vec<QueueRow> {
    let depths = visit.desk.depths.of(running).await;
    let standings: BTreeMap<QueueName, Standing> = running.consumers().into_iter().collect();
    let all = running.plan.queues.iter();
    all.map(|queue| row(running, queue, &depths, standings.get(&queue.name))).collect()
}

fn row(
    running: &Running,
    queue: &QueueEntry,
    depths: &BTreeMap<QueueName, QueueState>,
    standing: Option<&Standing>,
) -> QueueRow {
    let state = depths.get(&queue.name);
    let why = match standing {
        Some(Standing::Receiving) => None,
        Some(Standing::Away(why)) => Some(why.clone()),
        None => Some("it is not consumed by this program".to_owned()),
    };
    QueueRow {
        name: queue.name.to_string(),
        handlers: queue.members.iter().map(|entry| entry.name.clone()).collect(),
        ready: state.map(|state| state.ready),
        consumers: state.map(|state| state.consumers),
        receiving: why.is_none(),
        why,
        paused: running.hub.valves.is_closed(&queue.name),
        dead_queue: queue.dead.to_string(),
        dead: depths.get(&queue.dead).map(|state| state.ready),
        queue_type: queue.declaration.arguments.queue_type.as_str(),
        foreign: queue.foreign,
    }
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let rows = rows(&visit, &*visit.running()?).await;
    Ok(page::list(&visit, "queues", "Queues", &rows, |rows| {
        html! {
            (parts::title("Queues", html! { span.soft { (rows.len()) } }))
            @if rows.is_empty() {
                (parts::empty(html! { p { "This program consumes nothing." } }))
            } @else { div id="queues" data-live { (table(rows)) } }
        }
    }))
}

fn table(rows: &[QueueRow]) -> Markup {
    let titles = ["Queue", "Handlers", "Here", "#Waiting", "#Consumers", "#Dead letters"];
    parts::table(
        &titles,
        html! {
            @for row in rows {
                tr {
                    td.key {
                        a href=(format!("/queues/{}", parts::segment(&row.name))) { (row.name) }
                        @if row.queue_type == "classic" { " " span.tag { "classic" } }
                        @if row.foreign { " " span.tag title="Others declare it" { "foreign" } }
                    }
                    td { @for handler in &row.handlers { a href=(format!("/handlers/{}", parts::segment(handler))) { (handler) } " " } }
                    td { (standing(row)) }
                    td.n { (known(row.ready, number)) }
                    td.n { (known(row.consumers.map(u64::from), number)) }
                    td.n { (known(row.dead, alarm)) }
                }
            }
        },
    )
}

fn standing(row: &QueueRow) -> Markup {
    html! {
        @if row.paused { span class="pill warn" { "paused" } }
        @else if row.receiving { span class="pill good" { "consumed" } }
        @else { span class="pill bad" title=[row.why.as_deref()] { "not consumed" } }
    }
}

/// A number that the broker may not have told.
fn known(count: Option<u64>, show: impl Fn(u64) -> Markup) -> Markup {
    match count {
        Some(count) => show(count),
        None => html! { span.soft title="The broker did not tell in time" { "–" } },
    }
}

#[derive(Serialize)]
struct One {
    #[serde(flatten)]
    row: QueueRow,
    arguments: Vec<(String, String)>,
    bindings: Vec<(String, String)>,
    messages: Vec<Row>,
}

/// The arguments of a queue as AMQP names them.
fn arguments(queue: &QueueEntry) -> Vec<(String, String)> {
    let table = queue.declaration.arguments.to_table();
    let shown = |value| messages::as_text(&crate::dead_letters::as_json(value));
    table.iter().map(|(name, value)| (name.to_owned(), shown(value))).collect()
}

fn find<'r>(running: &'r Running, name: &str) -> Result<&'r QueueEntry, Problem> {
    let found = running.plan.queues.iter().find(|queue| queue.name == *name);
    found
        .map(|queue| &**queue)
        .ok_or_else(|| Problem::not_found(format!("This program has no queue `{name}`.")))
}

pub(super) async fn one(visit: Visit, Path(name): Path<String>) -> Result<Response, Problem> {
    let running = visit.running()?;
    let queue = find(&running, &name)?;
    let depths = visit.desk.depths.of(&running).await;
    let standing = running.consumers().into_iter().find(|(other, _)| *other == queue.name);
    let messages =
        running.hub.history.messages().into_iter().filter(|passed| passed.handler.queue == queue.name);
    let view = One {
        row: row(&running, queue, &depths, standing.as_ref().map(|(_, standing)| standing)),
        arguments: arguments(queue),
        bindings: queue
            .members
            .iter()
            .flat_map(|entry| entry.keys.iter().map(|key| (entry.exchange.to_string(), key.key.to_string())))
            .collect(),
        messages: messages.take(MESSAGES_SHOWN).map(|passed| Row::of(&passed)).collect(),
    };
    Ok(page::show(&visit, "queues", &name, &view, |view| whole(&visit, view)))
}

fn whole(visit: &Visit, view: &One) -> Markup {
    let row = &view.row;
    let path = format!("/queues/{}", parts::segment(&row.name));
    let (action, label) = if row.paused { ("resume", "Go on") } else { ("pause", "Pause") };
    html! {
        (parts::title_in(("/queues", "Queues"), &row.name, html! {
            (gate::button(visit.may_act(), &format!("{path}/{action}"), label, None))
        }))
        div id="state" data-live {
            @if let (false, Some(why)) = (row.paused, &row.why) { div class="note-box bad" { p { "Not consumed: " (why) "." } } }
            @if row.paused { div class="note-box warn" { p { "Paused here: this process takes nothing of it until somebody lets it go on. Messages stay in the broker; other workers go on." } } }
            div.tiles {
                (tile("Waiting", &known(row.ready, |count| html! { (parts::grouped(count)) }), "ready in the broker"))
                (tile("Consumers", &known(row.consumers.map(u64::from), |count| html! { (parts::grouped(count)) }), "of all processes"))
                (tile("Dead letters", &known(row.dead, |count| html! { (parts::grouped(count)) }), &row.dead_queue))
            }
        }
        div.two {
            (parts::card_of("Bindings", html! {}, parts::bare_table(&["Exchange", "Key"], html! {
                @for (exchange, key) in &view.bindings { tr { td { (exchange) } td.key.wide { (key) } } }
            })))
            (parts::card("Arguments", html! {}, html! {
                dl.facts { @for (name, value) in &view.arguments { dt { (name) } dd.key { (value) } } }
            }))
        }
        section.card {
            header { h2 { "Last messages" } div.push { a href=(format!("/dead-letters?queue={}", parts::segment(&row.name))) { "Its dead letters" } } }
            div id="messages" data-live { (messages::rows(&view.messages)) }
        }
        (purge_form(visit, row, &path))
    }
}

fn purge_form(visit: &Visit, row: &QueueRow, path: &str) -> Markup {
    let may = visit.may_act();
    parts::card(
        "Delete what waits",
        html! {},
        html! {
            p.soft { "Every message that is ready now is gone then; those that are being handled stay. There is no undo." }
            form method="post" action=(format!("{path}/purge")) {
                div.row {
                    label.grow { "Type the name of the queue to confirm" input name="confirm" autocomplete="off" required placeholder=(row.name) disabled[!may]; }
                    button.danger type="submit" disabled[!may] { "Delete " @if let Some(ready) = row.ready { (parts::grouped(ready)) " messages" } @else { "all messages" } }
                }
            }
        },
    )
}

fn tile(name: &str, value: &Markup, note: &str) -> Markup {
    html! { div.tile { div.name { (name) } div.value { (value) } div.note title=(note) { (note) } } }
}

pub(super) async fn purge(
    visit: Visit,
    Path(name): Path<String>,
    fields: Fields,
) -> Result<Response, Problem> {
    let running = visit.running()?;
    let queue = find(&running, &name)?;
    if fields.get("confirm") != Some(name.as_str()) {
        return Err(Problem::input(format!(
            "Nothing was deleted: to delete what waits in `{name}`, its name has to be typed."
        )));
    }
    let deleted = running.hub.transport.purge(&queue.name).await?;
    visit.note("purge", &name, &format!("{deleted} messages deleted"));
    Ok(done(&visit, &name, &serde_json::json!({ "deleted": deleted })))
}

pub(super) async fn pause(visit: Visit, Path(name): Path<String>) -> Result<Response, Problem> {
    let running = visit.running()?;
    running.hub.valves.close(&find(&running, &name)?.name);
    visit.note("pause", &name, "ok");
    Ok(done(&visit, &name, &serde_json::json!({ "paused": true })))
}

pub(super) async fn resume(visit: Visit, Path(name): Path<String>) -> Result<Response, Problem> {
    let running = visit.running()?;
    running.hub.valves.open(&find(&running, &name)?.name);
    visit.note("resume", &name, "ok");
    Ok(done(&visit, &name, &serde_json::json!({ "paused": false })))
}

fn done(visit: &Visit, name: &str, result: &serde_json::Value) -> Response {
    match visit.json {
        true => page::as_json(result),
        false => Redirect::to(&format!("/queues/{}", parts::segment(name))).into_response(),
    }
}
