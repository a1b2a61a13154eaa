//! Publishing by hand.

use std::collections::BTreeSet;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use maud::{Markup, html};
use serde::Serialize;

use super::fields::Fields;
use super::page;
use super::parts;
use super::problem::Problem;
use super::visit::Visit;
use crate::app::Running;
use crate::envelope::header;
use crate::publish::Publisher;

/// Messages that one form may publish.
const COUNT_MAX: u64 = 1000;

#[derive(Serialize)]
struct View {
    exchanges: BTreeSet<String>,
    topics: BTreeSet<&'static str>,
}

#[derive(Serialize)]
struct Published {
    published: u64,
    exchange: String,
    routing_key: String,
}

fn view(running: &Running) -> View {
    let handlers = &running.plan.handlers;
    View {
        exchanges: handlers.iter().map(|entry| entry.exchange.to_string()).collect(),
        topics: handlers.iter().filter_map(|entry| Some(entry.message?.topic)).collect(),
    }
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let view = view(&*visit.running()?);
    let key = visit.get("key").unwrap_or_default().to_owned();
    let exchange = visit.get("exchange").unwrap_or_default().to_owned();
    Ok(page::show(&visit, "publish", "Publish", &view, |view| {
        form(&visit, view, (&exchange, &key, ""), None)
    }))
}

fn form(
    visit: &Visit,
    view: &View,
    (exchange, key, body): (&str, &str, &str),
    done: Option<&Published>,
) -> Markup {
    let may = visit.may_act();
    html! {
        (parts::title("Publish", html! {}))
        @if let Some(done) = done {
            div class="note-box good" role="status" {
                p { "Published " (done.published) " × " code { (done.exchange) ":" (done.routing_key) } ". The broker has confirmed. " a href=(format!("/live?where={}", parts::segment(&format!("key={}", done.routing_key)))) { "See what becomes of it" } }
            }
        }
        form method="post" action="/publish" {
            (parts::card("A message by hand", html! { @if !key.is_empty() { a href=(format!("/route?key={}", parts::segment(key))) { "Who gets it?" } } }, html! {
                div.fields {
                    label { "Exchange" select name="exchange" { @for known in &view.exchanges { option value=(known) selected[known == exchange] { (known) } } } }
                    label { "Routing key, or the topic of a message type" input name="key" value=(key) required list="topics" autocomplete="off" placeholder="wiki.page.saved"; }
                    label { "How many" input name="count" type="number" min="1" max=(COUNT_MAX) value="1"; }
                }
                datalist id="topics" { @for topic in &view.topics { option value=(topic) {} } }
                label { "Body, as JSON" textarea name="body" spellcheck="false" { @if body.is_empty() { "{\n}" } @else { (body) } } }
                label { "Headers, one name=value a line" textarea.small name="headers" spellcheck="false" {} }
                button.primary type="submit" disabled[!may] title=[(!may).then_some("You may look, and not change anything.")] { "Publish" }
            }))
        }
    }
}

pub(super) async fn act(visit: Visit, fields: Fields) -> Result<Response, Problem> {
    let running = visit.running()?;
    let (exchange, key) = (fields.need("exchange")?, fields.need("key")?.trim());
    let body = fields.get("body").unwrap_or("null");
    serde_json::from_str::<serde::de::IgnoredAny>(body)
        .map_err(|error| Problem::input(format!("The body is not JSON: {error}. Nothing was published.")))?;
    let count: u64 = fields.number("count")?.unwrap_or(1);
    if !(1..=COUNT_MAX).contains(&count) {
        return Err(Problem::input(format!("`count` is a number from 1 to {COUNT_MAX}")));
    }
    let message =
        running.plan.handlers.iter().filter_map(|entry| entry.message).find(|message| message.topic == key);
    let publisher = Publisher::direct(&running.hub);
    let body = Bytes::copy_from_slice(body.as_bytes());
    for _ in 0..count {
        let mut publish = publisher.publish_raw(exchange, key, body.clone()).content_type("application/json");
        if let Some(message) = message {
            publish = publish.message_type(message.topic).header(header::VERSION, message.version);
        }
        for line in fields.get("headers").unwrap_or_default().lines().filter(|line| !line.trim().is_empty()) {
            let (name, value) = line
                .split_once('=')
                .ok_or_else(|| Problem::input(format!("`{line}` is not a header: write name=value")))?;
            publish = publish.header(name.trim().to_owned(), value.trim().to_owned());
        }
        publish.await?;
    }
    let done = Published { published: count, exchange: exchange.to_owned(), routing_key: key.to_owned() };
    visit.note("publish", &format!("{exchange}:{key}"), &format!("{count} confirmed"));
    if visit.json {
        return Ok(page::as_json(&serde_json::to_value(&done).unwrap_or_default()));
    }
    let view = view(&running);
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let content = form(&visit, &view, (exchange, key, text), Some(&done));
    Ok(page::frame(&visit.desk, &visit.visitor, "publish", "Publish", &content).into_response())
}
