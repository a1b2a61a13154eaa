//! The workers that share the broker: what they are, what they have in hand, and what they can be told.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::gate;
use super::page;
use super::parts;
use super::problem::Problem;
use super::visit::Visit;
use crate::app::Running;
use crate::fleet::{self, Ask, Hand, Heard, Peer, Reach, Reply, Report, State, Whom};
use crate::seam;

/// How old answers may be. A dashboard with many viewers asks the fleet no more often than one.
const FRESH: Duration = Duration::from_secs(2);
/// How long to wait for the others.
const PATIENCE: Duration = Duration::from_secs(2);
/// Stands for all workers where one is named.
const ALL: &str = "all";

/// What the other workers last told.
#[derive(Debug, Default)]
pub(super) struct Fleet(Mutex<Option<(Instant, Arc<Heard>)>>);

impl Fleet {
    /// Every worker, and this one as it is now.
    async fn of(&self, running: &Running) -> Arc<Heard> {
        let Reach::Open(station) = running.control.reach() else { return Arc::new(alone(running)) };
        let mut kept = self.0.lock().await;
        if let Some((at, known)) = kept.as_ref()
            && at.elapsed() < FRESH
        {
            return Arc::clone(known);
        }
        let own = fleet::answer(running, Reply::Done);
        // A broker that is away answers nobody; the page says so at its top.
        let heard = station.ask(Ask::Ping, &Whom::default(), Some(own), PATIENCE).await;
        let heard = Arc::new(heard.unwrap_or_else(|_| alone(running)));
        *kept = Some((seam::now(), Arc::clone(&heard)));
        heard
    }

    /// Something was changed: what is known is old.
    async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

fn alone(running: &Running) -> Heard {
    Heard { answers: vec![fleet::answer(running, Reply::Done)], silent: Vec::new() }
}

/// A worker that answers, or one that does not.
#[derive(Serialize)]
#[serde(untagged)]
enum Row {
    Heard {
        #[serde(flatten)]
        report: Report,
        /// Whether it is this process.
        here: bool,
    },
    Silent {
        #[serde(flatten)]
        peer: Peer,
        state: &'static str,
    },
}

pub(super) async fn page(visit: Visit) -> Result<Response, Problem> {
    let running = visit.running()?;
    let heard = visit.desk.fleet.of(&running).await;
    let own = fleet::answer(&running, Reply::Done).worker.peer;
    let answers = heard.answers.iter().map(|answer| {
        let report = answer.worker.clone();
        Row::Heard { here: report.peer == own, report }
    });
    let silent = heard.silent.iter().map(|peer| Row::Silent { peer: peer.clone(), state: "silent" });
    let rows: Vec<Row> = answers.chain(silent).collect();
    Ok(page::list(&visit, "workers", "Workers", &rows, |rows| {
        html! {
            (parts::title("Workers", html! {
                (button(&visit, ALL, "quiet", "Quiet all", Some("Let all workers take nothing new?")))
                (button(&visit, ALL, "resume", "Resume all", None))
            }))
            @if let Some(why) = why_alone(&running) { p.soft { (why) } }
            div id="workers" data-live { (table(&visit, rows)) }
        }
    }))
}

/// Why no others are shown.
fn why_alone(running: &Running) -> Option<String> {
    match running.control.reach() {
        Reach::Alone => Some("The broker is in this process, so there are no other workers.".to_owned()),
        Reach::Off => Some(
            "The control exchange is switched off (BUS_CONTROL=off), so only this process is shown."
                .to_owned(),
        ),
        Reach::Opening if running.plan.queues.is_empty() => {
            Some("This process consumes nothing, so it has not joined the others.".to_owned())
        }
        Reach::Opening => Some("The other workers are not reached yet.".to_owned()),
        Reach::Refused(why) => Some(format!("The other workers cannot be reached: {why}.")),
        Reach::Open(_) => None,
    }
}

fn table(visit: &Visit, rows: &[Row]) -> Markup {
    let titles = [
        "Worker",
        "Version",
        "Host",
        "#Pid",
        "#Up for",
        "#Handlers",
        "#In flight",
        "#Memory",
        "State",
        "Actions",
    ];
    parts::table(
        &titles,
        html! {
            @for row in rows {
                @match row {
                    Row::Heard { report, here } => tr {
                        td.key {
                            a href=(format!("/workers/{}", parts::segment(&report.peer.id))) { (report.peer.name) }
                            @if *here { " " span.tag { "this one" } }
                        }
                        td { (report.version.as_deref().unwrap_or("–")) }
                        td { (report.peer.host) }
                        td.n { (report.pid) }
                        td.n { (parts::time(seconds(report.uptime_seconds))) }
                        td.n { (report.handlers) }
                        td.n { (parts::number(report.in_flight)) }
                        td.n { @if let Some(bytes) = report.memory_bytes { (parts::bytes(bytes)) } @else { "–" } }
                        td { (standing(report)) }
                        td { (buttons(visit, report)) }
                    },
                    Row::Silent { peer, .. } => tr {
                        td.key { (peer.name) }
                        td { "–" }
                        td { (peer.host) }
                        @for _ in 0..5 { td.n { "–" } }
                        td { span class="pill bad" title="It has announced itself, its queue is there, and it does not answer" { "silent" } }
                        td {}
                    },
                }
            }
        },
    )
}

/// A time that somebody tells; what is none is nothing.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

fn standing(report: &Report) -> Markup {
    let class = match report.state {
        State::Running => "good",
        State::Quiet | State::Draining | State::Degraded => "warn",
        State::NotReady | State::Dead => "bad",
    };
    let problems = report.problems.join("; ");
    html! { span class=(format!("pill {class}")) title=[(!problems.is_empty()).then_some(problems)] { (report.state.as_str()) } }
}

fn buttons(visit: &Visit, report: &Report) -> Markup {
    let Peer { id, name, .. } = &report.peer;
    let quiet = format!("Let {name} take nothing new?");
    let drain = format!("Let {name} finish what it has begun, and end?");
    html! {
        @if report.state == State::Quiet { (button(visit, id, "resume", "Resume", None)) }
        @else { (button(visit, id, "quiet", "Quiet", Some(&quiet))) }
        " " (button(visit, id, "drain", "Drain", Some(&drain)))
    }
}

fn button(visit: &Visit, id: &str, action: &str, label: &str, question: Option<&str>) -> Markup {
    gate::button(visit.may_act(), &format!("/workers/{}/{action}", parts::segment(id)), label, question)
}

/// One worker, with what it has in hand.
#[derive(Serialize)]
struct One {
    #[serde(flatten)]
    report: Report,
    hands: Vec<Hand>,
}

pub(super) async fn one(visit: Visit, Path(id): Path<String>) -> Result<Response, Problem> {
    let running = visit.running()?;
    let answer = ask(&running, Ask::Inflight, &id).await?.answers.pop().ok_or_else(|| nobody(&id))?;
    let hands = match answer.reply {
        Reply::Inflight(hands) => hands,
        _ => Vec::new(),
    };
    let view = One { report: answer.worker, hands };
    let name = view.report.peer.name.clone();
    Ok(page::show(&visit, "workers", &name, &view, |view| whole(&visit, view)))
}

fn whole(visit: &Visit, view: &One) -> Markup {
    let report = &view.report;
    html! {
        (parts::title_in(("/workers", "Workers"), &report.peer.name, buttons(visit, report)))
        div id="worker" data-live {
            @if !report.problems.is_empty() {
                div class="note-box warn" { ul { @for problem in &report.problems { li { (problem) } } } }
            }
            (parts::card("Process", standing(report), html! {
                dl.facts {
                    dt { "App" } dd { (report.app) @if let Some(version) = &report.version { " " (version) } }
                    dt { "Host" } dd.key { (report.peer.host) }
                    dt { "Pid" } dd { (report.pid) }
                    dt { "Up for" } dd { (parts::time(seconds(report.uptime_seconds))) }
                    dt { "Memory" } dd { @if let Some(bytes) = report.memory_bytes { (parts::bytes(bytes)) } @else { "–" } }
                    dt { "Handlers" } dd { (report.handlers) }
                    dt { "Handled" } dd { (parts::grouped(report.handled)) }
                    dt { "Failed attempts" } dd { (parts::alarm(report.failed)) }
                }
            }))
            @if view.hands.is_empty() { (parts::empty(html! { p { "Nothing is in hand right now." } })) }
            @else {
                (parts::table(&["In hand", "#For"], html! {
                    @for hand in &view.hands { tr {
                        td.wide { (hand.handler) }
                        td.n { (parts::time(seconds(hand.since_seconds))) }
                    } }
                }))
            }
        }
    }
}

fn nobody(id: &str) -> Problem {
    Problem::not_found(format!("No worker `{id}` answers."))
}

/// Asks one worker, or all; this process is asked directly.
async fn ask(running: &Running, ask: Ask, id: &str) -> Result<Heard, Problem> {
    let own = fleet::answer(running, Reply::Done).worker.peer;
    let is_own = own.is_meant_by(id);
    let own = (is_own || id == ALL).then(|| fleet::act(running, ask));
    match running.control.reach() {
        Reach::Open(station) if !is_own => {
            let named = if id == ALL { Vec::new() } else { vec![id.to_owned()] };
            Ok(station.ask(ask, &Whom { named, known: Vec::new() }, own, PATIENCE).await?)
        }
        _ => Ok(Heard { answers: own.into_iter().collect(), silent: Vec::new() }),
    }
}

pub(super) async fn quiet(visit: Visit, Path(id): Path<String>) -> Result<Response, Problem> {
    act(visit, Ask::Quiet, "quiet worker", &id).await
}

pub(super) async fn resume(visit: Visit, Path(id): Path<String>) -> Result<Response, Problem> {
    act(visit, Ask::Resume, "resume worker", &id).await
}

pub(super) async fn drain(visit: Visit, Path(id): Path<String>) -> Result<Response, Problem> {
    act(visit, Ask::Drain, "drain worker", &id).await
}

async fn act(visit: Visit, what: Ask, action: &'static str, id: &str) -> Result<Response, Problem> {
    let running = visit.running()?;
    let heard = ask(&running, what, id).await?;
    visit.desk.fleet.forget().await;
    let names: Vec<&str> = heard.answers.iter().map(|answer| answer.worker.peer.name.as_str()).collect();
    let refused = heard.answers.iter().find_map(|answer| match &answer.reply {
        Reply::Refused(why) => Some(format!("{}: {why}", answer.worker.peer.name)),
        _ => None,
    });
    let problem = match refused {
        _ if names.is_empty() => Some(nobody(id)),
        Some(why) => Some(Problem::input(why)),
        None => None,
    };
    let result = problem.as_ref().map_or("ok", |problem| problem.title.as_str());
    let whom = if names.is_empty() { id.to_owned() } else { names.join(", ") };
    visit.note(action, &whom, result);
    match problem {
        Some(problem) => Err(problem),
        None if visit.json => Ok(page::as_json(&serde_json::json!({ "workers": names }))),
        None => Ok(Redirect::to("/workers").into_response()),
    }
}
