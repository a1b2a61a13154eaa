//! The dead letters: groups of those that failed alike, and the letters themselves.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Serialize;

use super::fields::Fields;
use super::parts::{self, Time};
use super::problem::Problem;
use super::visit::Visit;
use super::{page, seam};
use crate::dead_letters::{Group, Letter, Selection};
use crate::expression::Expression;

/// The letters that a page shows.
const SHOWN_MAX: usize = 100;
/// What an export over HTTP holds at most. More is a matter for the command line, which writes a file.
const EXPORT_MAX: usize = 64 * 1024 * 1024;

/// The names of what a selection is made of: in queries and in forms.
const CHOICES: [&str; 4] = ["queue", "group", "where", "id"];

/// A letter as a row.
#[derive(Debug, Serialize)]
pub(super) struct LetterRow {
    pub(super) id: String,
    pub(super) queue: String,
    dead_queue: String,
    exchange: String,
    routing_key: String,
    message_type: Option<String>,
    handler: Option<String>,
    reason: String,
    pub(super) error: Option<String>,
    error_type: Option<String>,
    attempts: Option<u32>,
    replays: u32,
    first_failed_at: Option<Time>,
    last_failed_at: Option<Time>,
    pub(super) size: u64,
}

impl LetterRow {
    pub(super) fn of(letter: &Letter) -> Self {
        Self {
            id: letter.id.clone(),
            queue: letter.queue.clone(),
            dead_queue: letter.dead_queue.to_string(),
            exchange: letter.exchange.clone(),
            routing_key: letter.routing_key.clone(),
            message_type: letter.message_type().map(str::to_owned),
            handler: letter.handler.clone(),
            reason: letter.reason.clone(),
            error: letter.error.clone(),
            error_type: letter.error_type.clone(),
            attempts: letter.attempts,
            replays: letter.replays,
            first_failed_at: letter.first_failed_at.map(Time),
            last_failed_at: letter.last_failed_at.map(Time),
            size: letter.envelope.body.len() as u64,
        }
    }
}

#[derive(Serialize)]
struct View {
    groups: Vec<GroupRow>,
    letters: Vec<LetterRow>,
    /// How many lie in the chosen queues, meant or not.
    total: u64,
    is_cut: bool,
}

#[derive(Serialize)]
struct GroupRow {
    name: String,
    handler: String,
    reason: String,
    error_type: Option<String>,
    error: Option<String>,
    count: u64,
    last: Option<Time>,
}

impl GroupRow {
    fn of(group: Group) -> Self {
        let Group { name, handler, reason, error_type, error, count, last, .. } = group;
        Self { name, handler, reason, error_type, error, count, last: last.map(Time) }
    }
}

/// Which letters are meant, by a query or a form.
pub(super) fn selection<'f>(get: impl Fn(&str) -> Option<&'f str>) -> Result<Selection, Problem> {
    let mut selection = Selection::default();
    selection.queues.extend(get("queue").map(str::to_owned));
    selection.ids.extend(get("id").map(str::to_owned));
    selection.group = get("group").map(str::to_owned);
    if let Some(text) = get("where") {
        let expression = Expression::parse(text, &Letter::FIELDS)
            .map_err(|error| Problem::input(format!("the filter is not understood: {error}")))?;
        selection.expression = Some(expression);
    }
    Ok(selection)
}

/// The same choice for another page.
pub(super) fn choice<'f>(get: impl Fn(&str) -> Option<&'f str>) -> Vec<(&'static str, String)> {
    CHOICES.iter().filter_map(|name| Some((*name, get(name)?.to_owned()))).collect()
}

/// A choice as a query.
pub(super) fn query(choice: &[(&'static str, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(choice).finish()
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let running = visit.running()?;
    let selection = selection(|name| visit.get(name))?;
    let letters = running.dead_letters();
    let (listing, groups) = letters.survey(&selection, SHOWN_MAX).await?;
    let view = View {
        groups: groups.groups.into_iter().map(GroupRow::of).collect(),
        letters: listing.letters.iter().map(LetterRow::of).collect(),
        total: listing.total,
        is_cut: listing.is_cut,
    };
    let chosen = choice(|name| visit.get(name));
    Ok(page::show(&visit, "dead-letters", "Dead letters", &view, |view| whole(&visit, view, &chosen)))
}

fn whole(visit: &Visit, view: &View, chosen: &[(&'static str, String)]) -> Markup {
    let meant: u64 = view.groups.iter().map(|group| group.count).sum();
    let query = query(chosen);
    html! {
        (parts::title("Dead letters", html! {
            @if meant > 0 {
                a.button href=(format!("/dead-letters/export?{query}")) { "Export" }
                a.button data-key="r" href=(format!("/replay?{query}")) { "Replay " (parts::grouped(meant)) "…" }
            }
        }))
        form.row method="get" role="search" {
            @for (name, value) in chosen { @if *name != "where" { input type="hidden" name=(name) value=(value); } }
            input.grow type="search" name="where" value=(visit.get("where").unwrap_or_default()) placeholder="error~timeout && age<2h" aria-label="Filter" autocomplete="off";
            button type="submit" { "Filter" }
            @if !chosen.is_empty() { a href="/dead-letters" { "all" } }
        }
        @if !chosen.is_empty() {
            p.soft { small { "Only those with " @for (name, value) in chosen { code { (name) ": " (value) } " " } } }
        }
        @if view.letters.is_empty() {
            (parts::empty(html! {
                @if view.total == 0 { p { "There are no dead letters." } p { "Whatever no attempt could handle ends here, with its whole story." } }
                @else { p { "None of " (parts::grouped(view.total)) " dead letters is meant." } }
            }))
        } @else {
            (groups(&view.groups))
            (list(view))
            (purge_form(visit, chosen, meant))
        }
    }
}

fn groups(groups: &[GroupRow]) -> Markup {
    html! {
        section.card {
            header { h2 { "What went wrong" } div.push { small.soft { (groups.len()) @if groups.len() == 1 { " group" } @else { " groups" } } } }
            (parts::bare_table(&["What", "Handler", "Reason", "#Letters", "Last", "Way back"], html! {
                @for group in groups {
                    tr {
                        td.wide {
                            a href=(format!("/dead-letters?group={}", parts::segment(&group.name))) { (group.error_type.as_deref().and_then(parts::error_type).unwrap_or(&group.reason)) }
                            @if let Some(error) = &group.error { small.soft { (error) } }
                        }
                        td { (group.handler) }
                        td { span.tag { (group.reason) } }
                        td.n { span.bad { (parts::grouped(group.count)) } }
                        td.nowrap { @if let Some(last) = group.last { (last) } }
                        td.nowrap { a href=(format!("/replay?group={}", parts::segment(&group.name))) { "Replay…" } }
                    }
                }
            }))
        }
    }
}

fn list(view: &View) -> Markup {
    html! {
        section.card {
            header { h2 { "Letters" } div.push { small.soft { "the oldest of each queue first" @if view.is_cut { ", " (SHOWN_MAX) " shown" } } } }
            (parts::bare_table(&["Letter", "Message", "Why", "#Attempts", "When", "Way back"], html! {
                @for letter in &view.letters {
                    tr {
                        td.id { a href=(format!("/dead-letters/{}", letter.id)) { (letter.id) } }
                        td.key { (letter.exchange) ":" (letter.routing_key) small.soft { (letter.queue) } }
                        td.wide {
                            span.tag { (letter.reason) } " "
                            @if let Some(error) = &letter.error { span.soft { (error.lines().next().unwrap_or_default()) } }
                        }
                        td.n { @if let Some(attempts) = letter.attempts { (attempts) } @else { "–" } }
                        td.nowrap { @if let Some(at) = letter.last_failed_at { (at) } }
                        td.nowrap { a href=(format!("/replay?id={}", letter.id)) { "Replay…" } }
                    }
                }
            }))
        }
    }
}

fn purge_form(visit: &Visit, chosen: &[(&'static str, String)], meant: u64) -> Markup {
    let may = visit.may_act();
    parts::card(
        "Delete them",
        html! {},
        html! {
            p.soft { "They are gone then, and there is no undo: " a href=(format!("/dead-letters/export?{}", query(chosen))) { "export" } " them first. What arrives meanwhile stays." }
            form method="post" action="/dead-letters/purge" {
                @for (name, value) in chosen { input type="hidden" name=(name) value=(value); }
                div.row {
                    label.grow { "Type " (meant) ", the number of letters, to confirm" input name="confirm" inputmode="numeric" autocomplete="off" required disabled[!may]; }
                    button.danger type="submit" disabled[!may] { "Delete " (parts::grouped(meant)) }
                }
            }
        },
    )
}

pub(super) async fn purge(visit: Visit, fields: Fields) -> Result<Response, Problem> {
    let running = visit.running()?;
    let selection = selection(|name| fields.get(name))?;
    let letters = running.dead_letters();
    let meant: u64 = letters.groups(&selection).await?.groups.iter().map(|group| group.count).sum();
    if fields.number("confirm")? != Some(meant) {
        return Err(Problem::input(format!(
            "Nothing was deleted: {meant} letters are meant now, and `confirm` has to say so."
        )));
    }
    let deleted = letters.purge(&selection).await?;
    let target = query(&choice(|name| fields.get(name)));
    visit.note("purge dead letters", &target, &format!("{deleted} deleted"));
    Ok(match visit.json {
        true => page::as_json(&serde_json::json!({ "deleted": deleted })),
        false => Redirect::to("/dead-letters").into_response(),
    })
}

pub(super) async fn export(visit: Visit) -> Result<Response, Problem> {
    if !visit.shows_bodies() {
        return Err(Problem::forbidden("Bodies are not shown, so they are not exported.")
            .with_help("Set BUS_HTTP_SHOW_BODIES=1, or use `dlq export` on the command line."));
    }
    let running = visit.running()?;
    let selection = selection(|name| visit.get(name))?;
    let mut lines = Limited(Vec::new());
    let count = running.dead_letters().export(&selection, &mut lines).await.map_err(|error| {
        Problem::from(error).with_help("An export over HTTP ends at 64 MiB: choose fewer letters, or use `dlq export` on the command line.")
    })?;
    visit.note("export dead letters", &visit.query_text, &format!("{count} exported"));
    let name = format!(
        "attachment; filename=\"dead-letters-{}.jsonl\"",
        Time(seam::wall_clock()).text().replace(':', "-")
    );
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_str(&name).map_err(|_| Problem::input("no name"))?),
    ];
    Ok((headers, lines.0).into_response())
}

/// Bytes up to a limit.
struct Limited(Vec<u8>);

impl std::io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > EXPORT_MAX {
            return Err(std::io::Error::other("the export is too large"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
