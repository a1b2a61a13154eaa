//! Publishing by hand: by the fields of a message type, or as JSON.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use maud::{Markup, html};
use serde::Serialize;
use serde_json::{Map, Value};

use super::fields::Fields;
use super::problem::Problem;
use super::schema::{self, Book, Input, Property};
use super::visit::Visit;
use super::{messages, page, parts};
use crate::app::Running;
use crate::envelope::header;
use crate::publish::Publisher;
use crate::topology::HandlerEntry;

/// Messages that one form may publish.
const COUNT_MAX: u64 = 1000;

#[derive(Serialize)]
struct View {
    exchanges: BTreeSet<String>,
    topics: BTreeSet<&'static str>,
    /// The body to begin with: the last one that has passed, or one that the schema allows.
    example: Option<Value>,
}

/// What a form begins with.
struct Begun<'f> {
    exchange: &'f str,
    key: &'f str,
    body: &'f str,
}

#[derive(Serialize)]
struct Published {
    published: u64,
    exchange: String,
    routing_key: String,
}

fn view(visit: &Visit, running: &Running, key: &str) -> Result<View, Problem> {
    let handlers = &running.plan.handlers;
    let book = Book(&visit.shown(running)?.asyncapi);
    let sample = || Some(book.sample(&book.message(key)?["payload"]));
    Ok(View {
        exchanges: handlers.iter().map(|entry| entry.exchange.to_string()).collect(),
        topics: handlers.iter().filter_map(|entry| Some(entry.message?.topic)).collect(),
        example: last(visit, running, key).or_else(sample),
    })
}

/// The body of the last message that came with this key, where bodies are shown.
fn last(visit: &Visit, running: &Running, key: &str) -> Option<Value> {
    let all = visit.shows_bodies().then(|| running.hub.history.messages())?;
    let same = all.iter().filter(|passed| !key.is_empty() && passed.metadata.routing_key().as_str() == key);
    let newest = same.max_by_key(|passed| passed.number)?;
    serde_json::from_slice(&newest.metadata.envelope.body).ok()
}

/// The exchange of a message type, or of a handler whose key this is.
fn exchange_of<'r>(running: &'r Running, key: &str) -> Option<&'r str> {
    let is_its = |entry: &&Arc<HandlerEntry>| entry.message.is_some_and(|message| message.topic == key);
    let entry = running.plan.handlers.iter().find(is_its)?;
    Some(entry.exchange.as_str())
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let running = visit.running()?;
    let key = visit.get("key").unwrap_or_default();
    let view = view(&visit, &running, key)?;
    let exchange = visit.get("exchange").or_else(|| exchange_of(&running, key)).unwrap_or_default();
    let document = &visit.shown(&running)?.asyncapi;
    let begun = Begun { exchange, key, body: "" };
    Ok(page::show(&visit, "publish", "Publish", &view, |view| whole(&visit, document, view, &begun, None)))
}

fn whole(
    visit: &Visit,
    document: &Value,
    view: &View,
    begun: &Begun<'_>,
    done: Option<&Published>,
) -> Markup {
    let book = Book(document);
    let payload = book.message(begun.key).map(|message| &message["payload"]);
    let properties = payload.map(|payload| book.properties(payload)).unwrap_or_default();
    html! {
        (parts::title("Publish", html! {}))
        @if let Some(done) = done {
            div class="note-box good" role="status" {
                p { "Published " (done.published) " × " code { (done.exchange) ":" (done.routing_key) } ". The broker has confirmed. " a href=(format!("/live?where={}", parts::segment(&format!("key={}", done.routing_key)))) { "See what becomes of it" } }
            }
        }
        @if !view.topics.is_empty() {
            p.choices { "Message types: " @for topic in &view.topics {
                a href=(format!("/publish?key={}", parts::segment(topic))) aria-current=[(*topic == begun.key).then_some("true")] { (topic) } " "
            } }
        }
        @if !properties.is_empty() { (typed_form(visit, view, begun, &properties)) }
        (raw_form(visit, view, begun))
    }
}

/// A form with a field for each property of a message type.
fn typed_form(visit: &Visit, view: &View, begun: &Begun<'_>, properties: &[Property]) -> Markup {
    let known = |name: &str| {
        view.example.as_ref().and_then(|example| example.get(name)).filter(|value| !value.is_null())
    };
    html! {
        form method="post" action="/publish" {
            input type="hidden" name="exchange" value=(begun.exchange);
            input type="hidden" name="key" value=(begun.key);
            input type="hidden" name="typed" value="1";
            (parts::card(begun.key, html! { small.soft { "by its fields" } }, html! {
                div.fields {
                    @for property in properties.iter().filter(|property| property.input != Input::Json) {
                        label {
                            (property.name) @if !property.required { span.soft { " · may be absent" } }
                            (field(property, known(&property.name)))
                            @if !property.description.is_empty() { small.soft { (property.description) } }
                        }
                    }
                }
                @for property in properties.iter().filter(|property| property.input == Input::Json) {
                    label {
                        (property.name) ", as JSON" @if !property.required { span.soft { " · may be absent" } }
                        textarea.small name=(format!("field.{}", property.name)) spellcheck="false" { @if let Some(value) = known(&property.name) { (format!("{value:#}")) } }
                    }
                }
                div.fields { label { "How many" input name="count" type="number" min="1" max=(COUNT_MAX) value="1"; } }
                (button(visit))
            }))
        }
    }
}

fn field(property: &Property, known: Option<&Value>) -> Markup {
    let name = format!("field.{}", property.name);
    let value = known.map(messages::as_text).unwrap_or_default();
    html! {
        @match &property.input {
            Input::Choice(all) => select name=(name) {
                @if !property.required { option value="" { "" } }
                @for one in all { option value=(one) selected[*one == value] { (one) } }
            },
            Input::Flag => select name=(name) {
                @if !property.required { option value="" { "" } }
                @for one in ["true", "false"] { option value=(one) selected[one == value] { (one) } }
            },
            Input::Integer => input name=(name) type="number" step="1" value=(value) required[property.required];,
            Input::Number => input name=(name) type="number" step="any" value=(value) required[property.required];,
            Input::Text | Input::Json => input name=(name) value=(value) autocomplete="off";,
        }
    }
}

fn raw_form(visit: &Visit, view: &View, begun: &Begun<'_>) -> Markup {
    let Begun { exchange, key, body } = begun;
    let example = view.example.as_ref().map_or_else(|| "{\n}".to_owned(), |example| format!("{example:#}"));
    html! {
        form method="post" action="/publish" {
            (parts::card("A message by hand", html! { @if !key.is_empty() { a href=(format!("/route?key={}", parts::segment(key))) { "Who gets it?" } } }, html! {
                div.fields {
                    label { "Exchange" select name="exchange" { @for known in &view.exchanges { option value=(known) selected[known == exchange] { (known) } } } }
                    label { "Routing key, or the topic of a message type" input name="key" value=(key) required list="topics" autocomplete="off" placeholder="wiki.page.saved"; }
                    label { "How many" input name="count" type="number" min="1" max=(COUNT_MAX) value="1"; }
                }
                datalist id="topics" { @for topic in &view.topics { option value=(topic) {} } }
                label { "Body, as JSON" textarea name="body" spellcheck="false" { @if body.is_empty() { (example) } @else { (body) } } }
                label { "Headers, one name=value a line" textarea.small name="headers" spellcheck="false" {} }
                (button(visit))
            }))
        }
    }
}

fn button(visit: &Visit) -> Markup {
    let may = visit.may_act();
    html! { button.primary type="submit" disabled[!may] title=[(!may).then_some("You may look, and not change anything.")] { "Publish" } }
}

/// The body that a form has put together of its fields.
fn of_fields(document: &Value, key: &str, fields: &Fields) -> Result<String, Problem> {
    let book = Book(document);
    let message = book
        .message(key)
        .ok_or_else(|| Problem::input(format!("`{key}` is no message type of this program")))?;
    let mut body = Map::new();
    for property in book.properties(&message["payload"]) {
        let text = fields.get(&format!("field.{}", property.name));
        let value = schema::typed(&property, text)
            .map_err(|error| Problem::input(format!("{error}. Nothing was published.")))?;
        body.extend(value.map(|value| (property.name, value)));
    }
    Ok(Value::Object(body).to_string())
}

pub(super) async fn act(visit: Visit, fields: Fields) -> Result<Response, Problem> {
    let running = visit.running()?;
    let (exchange, key) = (fields.need("exchange")?, fields.need("key")?.trim());
    let document = &visit.shown(&running)?.asyncapi;
    let typed = fields.is_set("typed").then(|| of_fields(document, key, &fields)).transpose()?;
    let body = typed.as_deref().or_else(|| fields.get("body")).unwrap_or("null");
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
    let text = std::str::from_utf8(&body).unwrap_or_default();
    let example = serde_json::from_str(text).ok();
    let view = View { example, ..view(&visit, &running, key)? };
    let content = whole(&visit, document, &view, &Begun { exchange, key, body: text }, Some(&done));
    Ok(page::frame(&visit.desk, &visit.visitor, "publish", "Publish", &content).into_response())
}
