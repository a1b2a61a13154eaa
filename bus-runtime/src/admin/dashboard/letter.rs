//! One dead letter: what it was, what happened to it, and what can be done.

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Serialize;
use serde_json::{Map, Value};

use super::copies::{Copies, Original};
use super::dead_letters::LetterRow;
use super::fields::Fields;
use super::problem::Problem;
use super::visit::Visit;
use super::{body, messages, page, parts, seam};
use crate::dead_letters::{Letter, Selection};

#[derive(Serialize)]
struct View {
    #[serde(flatten)]
    row: LetterRow,
    story: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(flatten)]
    copies: Copies,
}

fn meant(id: &str) -> Selection {
    let mut selection = Selection::default();
    selection.ids.push(id.to_owned());
    selection
}

async fn find(visit: &Visit, id: &str) -> Result<Letter, Problem> {
    let running = visit.running()?;
    let mut listing = running.dead_letters().list(&meant(id), 1).await?;
    listing.letters.pop().ok_or_else(|| {
        Problem::not_found(format!("There is no dead letter {id}.")).with_help(
            "It was replayed or deleted, or it has come back under another id after it failed again.",
        )
    })
}

pub(super) async fn page(visit: Visit, Path(id): Path<String>) -> Result<Response, Problem> {
    let letter = find(&visit, &id).await?;
    let running = visit.running()?;
    let shown = visit.shows_bodies();
    let app = &running.hub.app_id;
    let original = Original {
        exchange: &letter.exchange,
        key: &letter.routing_key,
        body: shown.then_some(&letter.envelope.body[..]),
        handler: letter.handler.as_deref().unwrap_or("handler"),
    };
    let view = View {
        row: LetterRow::of(&letter),
        story: letter.explain(seam::wall_clock()),
        headers: shown.then(|| messages::headers(&letter.envelope)),
        body: shown.then(|| body::text(&letter.envelope.body)),
        copies: Copies::of(&visit, app, original),
    };
    let title = format!("Dead letter {id}");
    Ok(page::show(&visit, "dead-letters", &title, &view, |view| whole(&visit, &letter, view, &title)))
}

fn whole(visit: &Visit, letter: &Letter, view: &View, title: &str) -> Markup {
    html! {
        (parts::title_in(("/dead-letters", "Dead letters"), title, html! {
            a.button href=(format!("/dead-letters?group={}", letter.group())) { "Those that failed alike" }
            a.button data-key="r" href=(format!("/replay?id={}", letter.id)) { "Replay…" }
        }))
        div class="note-box bad" { @for sentence in &view.story { p { (sentence) } } }
        div.two {
            (parts::card("The message", html! {}, html! {
                dl.facts {
                    dt { "Exchange" } dd.key { (letter.exchange) }
                    dt { "Routing key" } dd.key { a href=(format!("/route?key={}", parts::segment(&letter.routing_key))) { (letter.routing_key) } }
                    dt { "Queue" } dd.key { (letter.queue) }
                    @if let Some(handler) = &letter.handler { dt { "Handler" } dd { a href=(format!("/handlers/{}", parts::segment(handler))) { (handler) } } }
                    @if let Some(id) = letter.message_id() { dt { "Message id" } dd.key { (id) } }
                    @if let Some(topic) = letter.message_type() { dt { "Type" } dd.key { (topic) } }
                    @if let Some(worker) = &letter.worker { dt { "Given up by" } dd.key { (worker) } }
                    dt { "Lies in" } dd.key { (letter.dead_queue) }
                }
            }))
            (parts::card("Headers", html! {}, html! {
                @match &view.headers {
                    Some(headers) => dl.facts { @for (name, value) in headers { dt.key { (name) } dd.key { (messages::as_text(value)) } } },
                    None => (messages::hidden()),
                }
            }))
        }
        (parts::card("Body", html! { small.soft { (parts::bytes(view.row.size)) } }, html! {
            @if view.body.is_some() { (body::show(&letter.envelope.body, "body")) } @else { (messages::hidden()) }
        }))
        (edit_form(visit, letter))
        (view.copies.show())
    }
}

fn edit_form(visit: &Visit, letter: &Letter) -> Markup {
    let text = std::str::from_utf8(&letter.envelope.body).ok().filter(|_| visit.shows_bodies());
    let why = match (visit.desk.access.allow_edit, visit.may_act(), text) {
        (false, ..) => Some("Bodies may not be changed here: BUS_HTTP_ALLOW_EDIT=1 allows it."),
        (_, false, _) => Some("You may look, and not change anything."),
        (.., None) => Some("Only text that is shown can be changed."),
        (true, true, Some(_)) => None,
    };
    parts::card(
        "Change the body",
        html! {},
        html! {
            @match why {
                Some(why) => p.soft { (why) },
                None => {
                    p.soft { "The letter is replaced by one with this body; everything else stays as it is. Replay it afterwards." }
                    form method="post" action=(format!("/dead-letters/{}/edit", letter.id)) {
                        textarea name="body" aria-label="Body" spellcheck="false" { (text.unwrap_or_default()) }
                        p { button type="submit" { "Replace the letter" } }
                    }
                }
            }
        },
    )
}

pub(super) async fn edit(visit: Visit, Path(id): Path<String>, fields: Fields) -> Result<Response, Problem> {
    if !visit.desk.access.allow_edit {
        return Err(Problem::forbidden("Bodies may not be changed here.")
            .with_help("BUS_HTTP_ALLOW_EDIT=1 allows it."));
    }
    let text = fields.need("body")?;
    let letter = find(&visit, &id).await?;
    if serde_json::from_slice::<serde::de::IgnoredAny>(&letter.envelope.body).is_ok() {
        serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| {
            Problem::input(format!("The body was JSON and is no more: {error}. Nothing was changed."))
        })?;
    }
    let running = visit.running()?;
    let edited = running.dead_letters().edit(&id, text.as_bytes().to_vec()).await?;
    visit.note("edit dead letter", &id, &format!("is {edited} now"));
    Ok(match visit.json {
        true => page::as_json(&serde_json::json!({ "id": edited })),
        false => Redirect::to(&format!("/dead-letters/{edited}")).into_response(),
    })
}
