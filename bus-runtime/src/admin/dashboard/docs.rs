//! What the program receives and sends, as AsyncAPI says it: for people, and to download.

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Serialize;
use serde_json::Value;

use super::problem::Problem;
use super::schema::Book;
use super::visit::Visit;
use super::{page, parts};

#[derive(Serialize)]
struct View<'d> {
    asyncapi: &'d Value,
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let running = visit.running()?;
    let view = View { asyncapi: &visit.shown(&running)?.asyncapi };
    Ok(page::show(&visit, "docs", "Docs", &view, |view| whole(view.asyncapi)))
}

/// The document itself, in a file.
pub(super) async fn file(visit: Visit, Path(name): Path<String>) -> Result<Response, Problem> {
    let running = visit.running()?;
    let document = &visit.shown(&running)?.asyncapi;
    let (kind, text) = match name.as_str() {
        "asyncapi.json" => ("application/json", format!("{document:#}\n")),
        "asyncapi.yaml" => ("application/yaml", crate::docs::yaml(document)),
        _ => return Err(Problem::not_found("There are asyncapi.json and asyncapi.yaml.")),
    };
    let disposition = format!("attachment; filename=\"{name}\"");
    let disposition = HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment"));
    let headers =
        [(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, text).into_response())
}

/// What follows the last slash of a reference.
fn target(reference: &Value) -> &str {
    reference["$ref"].as_str().and_then(|path| path.rsplit('/').next()).unwrap_or_default()
}

fn whole(document: &Value) -> Markup {
    let operations = |action: &'static str| {
        let all = document["operations"].as_object().into_iter().flatten();
        all.map(|(_, operation)| operation).filter(move |operation| operation["action"] == action)
    };
    let messages =
        || document["components"]["messages"].as_object().into_iter().flatten().map(|(_, one)| one);
    let book = Book(document);
    let described = |message: &&Value| book.resolved(&message["payload"])["properties"].is_object();
    html! {
        (parts::title("Docs", html! {
            a.button href="/docs/asyncapi.json" { "AsyncAPI as JSON" }
            a.button href="/docs/asyncapi.yaml" { "as YAML" }
        }))
        (parts::card_of("It receives", html! {}, parts::bare_table(&["Key", "Exchange", "Handler", "What it does"], html! {
            @for operation in operations("receive") { (row(document, operation)) }
        })))
        @if operations("send").next().is_some() {
            (parts::card_of("It sends", html! {}, parts::bare_table(&["Key", "Exchange", "Sent by", ""], html! {
                @for operation in operations("send") { (row(document, operation)) }
            })))
        }
        @for message in messages().filter(described) { (card(book, message)) }
        // What has no type is a key of a handler, which stands above.
        @let typed = |message: &&Value| !matches!(tags(message).as_str(), "audit" | "react");
        @let bare: Vec<_> = messages().filter(|message| !described(message)).filter(typed).collect();
        @if !bare.is_empty() {
            (parts::card_of("Messages without fields", html! {}, parts::bare_table(&["Message", "Kind", "Summary"], html! {
                @for message in bare { tr {
                    td.key { (as_text(&message["name"])) }
                    td { (tags(message)) }
                    td { (as_text(&message["summary"])) }
                } }
            })))
        }
    }
}

fn as_text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn tags(told: &Value) -> String {
    let tags = told["tags"].as_array().into_iter().flatten();
    tags.map(|tag| as_text(&tag["name"])).collect::<Vec<_>>().join(", ")
}

fn row(document: &Value, operation: &Value) -> Markup {
    let channel = &document["channels"][target(&operation["channel"])];
    let exchange = as_text(&channel["bindings"]["amqp"]["exchange"]["name"]);
    let title = as_text(&operation["title"]);
    let is_handler = operation["x-bus-source"].is_string();
    html! {
        tr {
            td.key { (as_text(&channel["address"])) }
            td.key { (exchange) }
            td { @if is_handler { a href=(format!("/handlers/{}", parts::segment(title))) { (title) } } @else { (title) } }
            td { (as_text(&operation["summary"])) }
        }
    }
}

fn card<'d>(book: Book<'d>, message: &'d Value) -> Markup {
    let topic = as_text(&message["name"]);
    let version = message["headers"]["properties"]["bus-version"]["const"].as_u64();
    let aside = html! {
        small.soft { (tags(message)) @if let Some(version) = version { ", version " (version) } }
        a.button href=(format!("/publish?key={}", parts::segment(topic))) { "Try it" }
    };
    parts::card_of(
        topic,
        aside,
        html! {
            @if let Some(description) = book.resolved(&message["payload"])["description"].as_str() {
                div.in { @for line in description.split("\n\n") { p { (line) } } }
            }
            (parts::bare_table(&["Field", "Type", "", "Description"], html! {
                @for line in book.lines(&message["payload"]) {
                    tr {
                        td.key { (line.path) }
                        td { code { (line.kind) } }
                        td { @if !line.required { span.soft { "may be absent" } } }
                        td { (line.description) }
                    }
                }
            }))
        },
    )
}
