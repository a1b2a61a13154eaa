//! The messages that have passed: as they come, and each one by itself.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::Response;
use maud::{Markup, html};
use serde::Serialize;
use serde_json::{Map, Value};

use super::copies::{Copies, Original};
use super::parts::{self, Time};
use super::problem::Problem;
use super::visit::Visit;
use super::{body, page};
use crate::envelope::Envelope;
use crate::expression::Expression;
use crate::history::{Passed, Word};

/// The messages that the live page begins with.
const SHOWN_MAX: usize = 200;

/// A message as a row.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) number: u64,
    pub(super) at: Time,
    pub(super) handler: String,
    queue: String,
    exchange: String,
    routing_key: String,
    message_id: Option<String>,
    message_type: Option<String>,
    instance: Option<String>,
    attempt: u32,
    redelivered: bool,
    outcome: Word,
    pub(super) error: Option<String>,
    error_type: Option<String>,
    reason: Option<&'static str>,
    next_attempt_after_seconds: Option<f64>,
    took_seconds: Option<f64>,
    size: u64,
}

impl Row {
    pub(super) fn of(passed: &Passed) -> Self {
        let metadata = &passed.metadata;
        let (error, error_type) = passed.error.clone().unzip();
        Self {
            number: passed.number,
            at: Time(passed.at),
            handler: passed.handler.name.clone(),
            queue: passed.handler.queue.to_string(),
            exchange: metadata.exchange().to_string(),
            routing_key: metadata.routing_key().to_string(),
            message_id: metadata.message_id().map(str::to_owned),
            message_type: metadata.message_type().map(str::to_owned),
            instance: passed.instance.clone(),
            attempt: metadata.attempt(),
            redelivered: metadata.redelivered(),
            outcome: passed.word,
            error,
            error_type,
            reason: passed.reason,
            next_attempt_after_seconds: passed.again_after.map(|delay| delay.as_secs_f64()),
            took_seconds: passed.took.map(|took| took.as_secs_f64()),
            size: metadata.body_len() as u64,
        }
    }
}

const TITLES: [&str; 6] = ["When", "Routing key", "Handler", "#Attempt", "Outcome", "#Time"];

/// A table of messages.
pub(super) fn rows(rows: &[Row]) -> Markup {
    if rows.is_empty() {
        return html! { div.empty { p { "Nothing has passed yet." } } };
    }
    parts::bare_table(&TITLES, html! { @for row in rows { (as_html(row)) } })
}

/// One row of that table.
pub(super) fn as_html(row: &Row) -> Markup {
    let class = class(row.outcome);
    html! {
        tr {
            td.nowrap { a href=(format!("/messages/{}", row.number)) { (row.at) } }
            td.key { (row.exchange) ":" (row.routing_key) }
            td { (row.handler) }
            td.n { (row.attempt) }
            td.wide {
                span class=(class) { (row.outcome.as_str()) }
                @if let Some(error) = &row.error { " " span.soft { (first_line(error)) } }
            }
            td.n { @if let Some(took) = row.took_seconds { (parts::time(std::time::Duration::from_secs_f64(took))) } }
        }
    }
}

fn class(word: Word) -> &'static str {
    match word {
        Word::Handled => "good",
        Word::Discarded => "soft",
        Word::Retried | Word::Requeued => "warn",
        Word::DeadLetter => "bad",
    }
}

fn first_line(text: &str) -> String {
    const SHOWN: usize = 160;
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// The filter that a visitor has written.
pub(super) fn filter(visit: &Visit) -> Result<Option<Expression>, Problem> {
    let Some(text) = visit.get("where") else { return Ok(None) };
    Expression::parse(text, &Passed::FIELDS)
        .map(Some)
        .map_err(|error| Problem::input(format!("the filter is not understood: {error}")))
}

pub(super) async fn live(visit: Visit) -> Result<Response, Problem> {
    let running = visit.running()?;
    let filter = filter(&visit)?;
    let wanted = |passed: &Arc<Passed>| filter.as_ref().is_none_or(|filter| filter.matches(&**passed));
    let messages = running.hub.history.messages().into_iter().filter(wanted).take(SHOWN_MAX);
    let messages: Vec<Row> = messages.map(|passed| Row::of(&passed)).collect();
    let left_out = running.hub.history.left_out();
    Ok(page::list(&visit, "live", "Live", &messages, |rows| {
        html! {
            (parts::title("Live", html! { span.soft { "every failure, and up to 100 messages a second that went well" } }))
            form.row method="get" role="search" {
                input.grow type="search" name="where" value=(visit.get("where").unwrap_or_default()) placeholder="outcome!=handled && key=wiki.*" aria-label="Filter" autocomplete="off";
                button type="submit" { "Filter" }
                @if visit.get("where").is_some() { a href="/live" { "all" } }
            }
            p.soft { small { "Fields: " @for field in Passed::FIELDS { code { (field.name) } " " } "· operators " code { "= != ~ < >" } " · " code { "&& || ! ( )" } } }
            section.card {
                div.scroll tabindex="0" {
                    table {
                        thead { tr { @for title in TITLES { th scope="col" class=[title.starts_with('#').then_some("n")] { (title.trim_start_matches('#')) } } } }
                        tbody id="live-rows" { @for row in rows { (as_html(row)) } }
                    }
                }
                @if rows.is_empty() { div.empty id="live-empty" { p { "Nothing has passed yet. Rows appear here as handlers end." } } }
            }
            @if left_out > 0 { p.soft { small { (parts::grouped(left_out)) " messages that went well were not kept, as there were too many in a second." } } }
        }
    }))
}

#[derive(Serialize)]
struct One {
    #[serde(flatten)]
    row: Row,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// The other attempts and handlers of the same message that are kept.
    related: Vec<Row>,
    #[serde(flatten)]
    copies: Copies,
}

pub(super) async fn one(visit: Visit, Path(number): Path<u64>) -> Result<Response, Problem> {
    let running = visit.running()?;
    let all = running.hub.history.messages();
    let Some(passed) = all.iter().find(|passed| passed.number == number) else {
        return Err(Problem::not_found(format!("Message {number} is not kept any more."))
            .with_help("The last 1 000 messages that went well and the last 500 failures are kept. What is dead is with the dead letters."));
    };
    let id = passed.metadata.message_id();
    let related = all
        .iter()
        .filter(|other| id.is_some() && other.number != number && other.metadata.message_id() == id);
    let shown = visit.shows_bodies();
    let envelope = &passed.metadata.envelope;
    let original = Original {
        exchange: &envelope.exchange,
        key: passed.metadata.routing_key(),
        body: shown.then_some(&envelope.body[..]),
        handler: &passed.handler.name,
    };
    let view = One {
        row: Row::of(passed),
        headers: shown.then(|| headers(envelope)),
        body: shown.then(|| body::text(&envelope.body)),
        related: related.map(|other| Row::of(other)).collect(),
        copies: Copies::of(&visit, &running.hub.app_id, original),
    };
    let title = format!("Message {number}");
    Ok(page::show(&visit, "live", &title, &view, |view| {
        html! {
            (parts::title_in(("/live", "Live"), &title, html! { span class=(class(view.row.outcome)) { (view.row.outcome.as_str()) } }))
            @if let Some(error) = &view.row.error {
                div class="note-box bad" {
                    p { strong { (view.row.error_type.as_deref().and_then(parts::error_type).unwrap_or("Error")) } }
                    pre tabindex="0" { (error) }
                }
            }
            div.two {
                (parts::card("The message", html! {}, facts(&view.row)))
                (parts::card("Headers", html! {}, html! {
                    @match &view.headers {
                        Some(headers) if headers.is_empty() => p.soft { "none" },
                        Some(headers) => dl.facts { @for (name, value) in headers { dt.key { (name) } dd.key { (as_text(value)) } } },
                        None => (hidden()),
                    }
                }))
            }
            (parts::card("Body", html! { small.soft { (parts::bytes(view.row.size)) } }, html! {
                @if shown { (body::show(&envelope.body, "body")) } @else { (hidden()) }
            }))
            section.card { header { h2 { "Other attempts and handlers of it" } } (rows(&view.related)) }
            (view.copies.show())
        }
    }))
}

/// Why a body is not shown.
pub(super) fn hidden() -> Markup {
    html! { p.soft { "Bodies and headers are not shown: they may hold what is nobody's business. BUS_HTTP_SHOW_BODIES=1 shows them." } }
}

fn facts(row: &Row) -> Markup {
    html! {
        dl.facts {
            dt { "When" } dd { (row.at.text()) }
            dt { "Exchange" } dd.key { (row.exchange) }
            dt { "Routing key" } dd.key { a href=(format!("/route?key={}", parts::segment(&row.routing_key))) { (row.routing_key) } }
            dt { "Queue" } dd.key { a href=(format!("/queues/{}", parts::segment(&row.queue))) { (row.queue) } }
            dt { "Handler" } dd { a href=(format!("/handlers/{}", parts::segment(&row.handler))) { (row.handler) } @if let Some(instance) = &row.instance { ", for " code { (instance) } } }
            @if let Some(id) = &row.message_id { dt { "Message id" } dd.key { (id) } }
            @if let Some(topic) = &row.message_type { dt { "Type" } dd.key { (topic) } }
            dt { "Attempt" } dd { (row.attempt) @if row.redelivered { " · delivered before" } }
            @if let Some(took) = row.took_seconds { dt { "Took" } dd { (parts::time(std::time::Duration::from_secs_f64(took))) } }
            @if let Some(delay) = row.next_attempt_after_seconds { dt { "Next attempt" } dd { "after " (parts::time(std::time::Duration::from_secs_f64(delay))) } }
            @if let Some(reason) = row.reason { dt { "Dead because" } dd { (reason) } }
        }
    }
}

/// Headers as JSON.
pub(super) fn headers(envelope: &Envelope) -> Map<String, Value> {
    envelope
        .headers
        .iter()
        .map(|(name, value)| (name.to_owned(), crate::dead_letters::as_json(value)))
        .collect()
}

pub(super) fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
