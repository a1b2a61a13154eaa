//! The way back for dead letters, step by step: how many, a few first, how fast, and when to stop.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Serialize;

use super::dead_letters::{choice, query, selection};
use super::fields::Fields;
use super::page;
use super::parts;
use super::problem::Problem;
use super::visit::Visit;
use crate::dead_letters::{Canary, Control, Replay};
use crate::names::QueueName;

/// How many go first unless the form says otherwise, and how many of them may fail.
const CANARIES: u64 = 10;
const ABORT_OVER: f64 = 5.0;
/// How long to wait for the fate of those that went first.
const CANARY_WAIT: Duration = Duration::from_secs(300);
/// The most letters a second that a form may ask for.
const RATE_MAX: f64 = 10_000.0;

#[derive(Serialize)]
struct View {
    meant: u64,
    queues: Vec<String>,
    handlers: Vec<String>,
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let running = visit.running()?;
    let selection = selection(|name| visit.get(name))?;
    let groups = running.dead_letters().groups(&selection).await?.groups;
    let mut handlers: Vec<String> = groups.iter().map(|group| group.handler.clone()).collect();
    handlers.sort();
    handlers.dedup();
    let queues = running.plan.handlers.iter().filter(|entry| handlers.contains(&entry.name));
    let mut queues: Vec<String> = queues.map(|entry| entry.queue.to_string()).collect();
    queues.dedup();
    let view = View { meant: groups.iter().map(|group| group.count).sum(), queues, handlers };
    let chosen = choice(|name| visit.get(name));
    Ok(page::show(&visit, "dead-letters", "Replay", &view, |view| wizard(&visit, view, &chosen)))
}

fn wizard(visit: &Visit, view: &View, chosen: &[(&'static str, String)]) -> Markup {
    let may = visit.may_act() && view.meant > 0;
    html! {
        (parts::title_in(("/dead-letters", "Dead letters"), "Replay", html! {}))
        @if view.meant == 0 {
            div class="note-box warn" { p { "No dead letter is meant: they were replayed or deleted in the meantime." } }
        } @else {
            div class="note-box" {
                p {
                    strong { (parts::grouped(view.meant)) @if view.meant == 1 { " letter goes" } @else { " letters go" } }
                    " back to " @for handler in &view.handlers { a href=(format!("/handlers/{}", parts::segment(handler))) { (handler) } " " }
                }
                p.soft { "Each goes to the queue that it came from, with its attempts counted anew. It is removed here when the broker has confirmed the copy, so nothing is lost, whatever ends the replay." }
                @if !chosen.is_empty() { p.soft { small { "Chosen by " @for (name, value) in chosen { code { (name) ": " (value) } " " } } } }
            }
        }
        form method="post" action="/dead-letters/replay" {
            @for (name, value) in chosen { input type="hidden" name=(name) value=(value); }
            (parts::card("How", html! {}, html! {
                div.fields {
                    label { "A few first" input name="canary" type="number" min="0" value=(CANARIES.min(view.meant)); }
                    label { "Stop when more than so many % of them fail" input name="abort_over" type="number" min="0" max="100" step="any" value=(ABORT_OVER); }
                    label { "At most so many" input name="limit" type="number" min="1" placeholder=(view.meant); }
                    label { "Letters a second" input name="rate" type="number" min="0.1" step="any" placeholder="as fast as it goes"; }
                    label { "Into another queue" input name="to" placeholder="where they came from"; }
                }
                p.soft { small { "Those that go first are watched until their handlers have ended, retries included; the others follow only when these are well. 0 sends all of them at once." } }
                label.check { input type="checkbox" name="keep"; "Keep the letters, and send copies" }
                label.check { input type="checkbox" name="dry_run"; "Only count, and send nothing" }
                div.row { button.primary type="submit" disabled[!may] title=[(!visit.may_act()).then_some("You may look, and not change anything.")] { "Replay " (parts::grouped(view.meant)) } a href=(format!("/dead-letters?{}", query(chosen))) { "Back" } }
            }))
        }
    }
}

/// What a form asks for.
fn wanted(fields: &Fields) -> Result<Replay, Problem> {
    let to =
        fields.get("to").map(|name| QueueName::new(name.trim())).transpose().map_err(crate::Error::from)?;
    let per_second = fields.number::<f64>("rate")?;
    if per_second.is_some_and(|rate| !(rate > 0.0 && rate <= RATE_MAX)) {
        return Err(Problem::input(format!("`rate` is above 0, and at most {RATE_MAX}")));
    }
    let count = fields.number("canary")?.unwrap_or_default();
    let abort_over: f64 = fields.number("abort_over")?.unwrap_or(ABORT_OVER);
    if !(0.0..=100.0).contains(&abort_over) {
        return Err(Problem::input("`abort_over` is a percentage, from 0 to 100"));
    }
    Ok(Replay {
        to,
        limit: fields.number("limit")?,
        per_second,
        canary: (count > 0).then_some(Canary { count, abort_over, wait: CANARY_WAIT }),
        keep: fields.is_set("keep"),
        dry_run: fields.is_set("dry_run"),
    })
}

pub(super) async fn act(visit: Visit, fields: Fields) -> Result<Response, Problem> {
    let running = visit.running()?;
    let selection = selection(|name| fields.get(name))?;
    let replay = wanted(&fields)?;
    let letters = running.dead_letters();
    let chosen = query(&choice(|name| fields.get(name)));
    let what = if chosen.is_empty() { "all dead letters".to_owned() } else { chosen };
    let job = visit.desk.jobs.begin(format!("Replay of {what}"), replay.limit, async move |job| {
        let (stopped, watched) = (job.stopped(), std::sync::Arc::clone(&job));
        let control = Control::new(stopped, move |progress| watched.progress(progress));
        letters.replay(&selection, &replay, control).await
    })?;
    visit.note("replay", &what, &format!("job {job}"));
    Ok(match visit.json {
        true => (StatusCode::ACCEPTED, page::as_json(&serde_json::json!({ "job": job }))).into_response(),
        false => Redirect::to(&format!("/jobs/{job}")).into_response(),
    })
}
