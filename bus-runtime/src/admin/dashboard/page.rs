//! The frame of every page, and the two forms of every answer.

use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;
use serde_json::json;

use super::access::{Role, Visitor};
use super::visit::Visit;
use super::{Desk, assets};
use crate::app::Status;

/// A head, and the name, path and label of each page below it.
type Chapter = (&'static str, &'static [(&'static str, &'static str, &'static str)]);

/// The pages, in the order of what an operator asks: how it is, what is wrong, what is where.
const PAGES: [Chapter; 3] = [
    (
        "Now",
        &[
            ("overview", "/", "Overview"),
            ("live", "/live", "Live"),
            ("failures", "/failures", "Failures"),
            ("dead-letters", "/dead-letters", "Dead letters"),
        ],
    ),
    (
        "What there is",
        &[
            ("handlers", "/handlers", "Handlers"),
            ("queues", "/queues", "Queues"),
            ("topology", "/topology", "Topology"),
            ("workers", "/workers", "Workers"),
            ("docs", "/docs", "Docs"),
        ],
    ),
    (
        "Tools",
        &[
            ("route", "/route", "Route tester"),
            ("publish", "/publish", "Publish"),
            ("config", "/config", "Config and doctor"),
            ("audit-log", "/audit-log", "Audit log"),
        ],
    ),
];

/// Answers with a page, or with its data when a program asks.
pub(super) fn show<V: Serialize>(
    visit: &Visit,
    name: &str,
    title: &str,
    view: &V,
    html: impl FnOnce(&V) -> Markup,
) -> Response {
    if visit.json {
        let mut document = serde_json::to_value(view).unwrap_or_default();
        if let Some(object) = document.as_object_mut() {
            object.insert("schema".to_owned(), schema(name).into());
        }
        return as_json(&document);
    }
    frame(&visit.desk, &visit.visitor, name, title, &html(view)).into_response()
}

/// As [`show`], of a list.
pub(super) fn list<I: Serialize>(
    visit: &Visit,
    name: &str,
    title: &str,
    items: &[I],
    html: impl FnOnce(&[I]) -> Markup,
) -> Response {
    if visit.json {
        return as_json(&json!({ "schema": schema(name), "items": items }));
    }
    frame(&visit.desk, &visit.visitor, name, title, &html(items)).into_response()
}

fn schema(name: &str) -> String {
    format!("bus.{}/1", name.replace('-', "_"))
}

/// A JSON document.
pub(super) fn as_json(document: &serde_json::Value) -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    ([kind], format!("{document:#}\n")).into_response()
}

/// A whole page.
pub(super) fn frame(
    desk: &Desk,
    visitor: &Visitor,
    name: &str,
    title: &str,
    content: &Markup,
) -> Html<String> {
    let running = desk.seen.get();
    let app = running.map_or("Bus", |running| running.hub.app_id.as_ref());
    document(
        &format!("{title} · {app}"),
        &html! {
            a.skip href="#main" { "Skip to the content" }
            header.top {
                a.brand href="/" {
                    (PreEscaped(r#"<svg width="18" height="18" viewBox="0 0 16 16" aria-hidden="true"><path fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" d="M2 8h12M4 8V3m4 10V8m4 0V3"/></svg>"#))
                    (app)
                }
                @if let Some(running) = running {
                    @let health = running.health();
                    span id="health" data-live { (standing(health.status)) }
                    span.where title="The broker" {
                        @if let Some(broker) = &health.broker { (broker.address) " · " (broker.server) }
                    }
                }
                div.push {
                    form action="/route" role="search" {
                        input name="key" type="search" placeholder="Who gets a routing key?" aria-label="Who gets a routing key?" autocomplete="off";
                    }
                    button.pill id="live" type="button" title="Pause or go on (p)" aria-live="polite" { "reload to refresh" }
                    button id="theme" type="button" title="Light or dark (t)" aria-label="Light or dark" { "◐" }
                    button id="keys" type="button" title="Keys (?)" aria-label="Keys" { "?" }
                    @if visitor.role != Role::Nobody && !desk.access.is_open() {
                        form method="post" action="/logout" { button type="submit" title=(visitor.name) { "Sign out" } }
                    }
                }
            }
            nav.side aria-label="Pages" {
                ul {
                    @for (head, pages) in PAGES {
                        li.head aria-hidden="true" { (head) }
                        @for (page, path, label) in pages {
                            li { a href=(path) aria-current=[(*page == name).then_some("page")] { (label) } }
                        }
                    }
                }
            }
            main id="main" tabindex="-1" { (content) }
            (keys())
        },
    )
}

/// A page without the frame, for those who may not come in.
pub(super) fn bare(title: &str, content: &Markup) -> Html<String> {
    document(title, content)
}

fn document(title: &str, body: &Markup) -> Html<String> {
    let asset = |name: &str| format!("/assets/{name}?v={}", assets::VERSION);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                link rel="stylesheet" href=(asset("style.css"));
                link rel="icon" href=(asset("icon.svg"));
                script src=(asset("script.js")) defer {}
            }
            body { (body) }
        }
    };
    Html(page.into_string())
}

/// How the app is, in a word with a colour.
pub(super) fn standing(status: Status) -> Markup {
    let (class, word) = match status {
        Status::Ready => ("good", "ready"),
        Status::Degraded => ("warn", "degraded"),
        Status::Starting => ("warn", "starting"),
        Status::Draining => ("warn", "draining"),
        Status::NotReady => ("bad", "not ready"),
        Status::Dead => ("bad", "dead"),
    };
    html! { span class=(format!("pill {class}")) { (word) } }
}

fn keys() -> Markup {
    let all = [
        ("/", "search"),
        ("j k", "next and previous row"),
        ("Enter", "open the row"),
        ("g o", "overview"),
        ("g h", "handlers"),
        ("g q", "queues"),
        ("g l", "live"),
        ("g f", "failures"),
        ("g d", "dead letters"),
        ("g t", "topology"),
        ("g r", "route tester"),
        ("g p", "publish"),
        ("g w", "workers"),
        ("g s", "docs"),
        ("r", "replay"),
        ("p", "pause, go on"),
        ("t", "light, dark"),
    ];
    html! {
        dialog id="help" aria-label="Keys" {
            h2 { "Keys" }
            div.keys { @for (key, meaning) in all { kbd { (key) } span { (meaning) } } }
            form method="dialog" { p { button { "Close" } } }
        }
    }
}
