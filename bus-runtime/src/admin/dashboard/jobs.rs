//! What takes longer than an answer may: replays, with their progress and their end.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::Path;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Serialize;
use tokio::sync::watch;

use super::gate;
use super::page;
use super::parts::{self, Time};
use super::problem::Problem;
use super::seam;
use super::visit::Visit;
use crate::dead_letters::{Ended, Progress, Replayed};
use crate::error::Error;

/// Jobs that are remembered.
const JOBS_MAX: usize = 50;
/// Jobs that run at once: each holds a channel of the broker.
const RUNNING_MAX: usize = 4;

/// The last jobs.
#[derive(Debug, Default)]
pub(super) struct Jobs(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    last: u64,
    jobs: VecDeque<Arc<Job>>,
}

/// One job.
#[derive(Debug)]
pub(super) struct Job {
    id: u64,
    what: String,
    began: Time,
    state: Mutex<State>,
    stop: watch::Sender<bool>,
}

/// How far a job is.
#[derive(Clone, Debug, Serialize)]
struct State {
    status: &'static str,
    seen: u64,
    total: u64,
    moved: u64,
    failed: u64,
    problems: Vec<String>,
    ended: Option<Time>,
}

#[derive(Serialize)]
struct View {
    id: u64,
    what: String,
    began: Time,
    #[serde(flatten)]
    state: State,
}

impl Jobs {
    /// Begins a job and says its number.
    pub(super) fn begin<F, Fut>(&self, what: String, limit: Option<u64>, run: F) -> Result<u64, Problem>
    where
        F: FnOnce(Arc<Job>) -> Fut,
        Fut: Future<Output = Result<Replayed, Error>> + Send + 'static,
    {
        let mut known = lock(&self.0);
        let at_once = known.jobs.iter().filter(|job| job.is_running()).count();
        if at_once >= RUNNING_MAX {
            return Err(Problem::busy(format!("{RUNNING_MAX} jobs run already: wait until one has ended.")));
        }
        known.last += 1;
        let state = State {
            status: "running",
            seen: 0,
            total: limit.unwrap_or_default(),
            moved: 0,
            failed: 0,
            problems: Vec::new(),
            ended: None,
        };
        let (id, began) = (known.last, Time(seam::wall_clock()));
        let job =
            Arc::new(Job { id, what, began, state: Mutex::new(state), stop: watch::Sender::new(false) });
        known.jobs.truncate(JOBS_MAX - 1);
        known.jobs.push_front(Arc::clone(&job));
        let running = run(Arc::clone(&job));
        seam::spawn("dashboard job", async move { job.end(running.await) });
        Ok(id)
    }

    fn find(&self, id: u64) -> Result<Arc<Job>, Problem> {
        let found = lock(&self.0).jobs.iter().find(|job| job.id == id).cloned();
        found.ok_or_else(|| {
            Problem::not_found(format!(
                "There is no job {id}; the last {JOBS_MAX} of this process are remembered."
            ))
        })
    }
}

impl Job {
    /// Waits until somebody wants it to stop.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stop = self.stop.subscribe();
        async move {
            // The sender lives in the job, and so does whoever waits.
            let _ = stop.wait_for(|stop| *stop).await;
        }
    }

    pub(super) fn progress(&self, progress: &Progress) {
        let mut state = lock(&self.state);
        (state.seen, state.total) = (progress.seen, progress.total);
        (state.moved, state.failed) = (progress.moved, progress.failed);
    }

    fn is_running(&self) -> bool {
        lock(&self.state).ended.is_none()
    }

    fn end(&self, result: Result<Replayed, Error>) {
        let mut state = lock(&self.state);
        state.ended = Some(Time(seam::wall_clock()));
        match result {
            Ok(replayed) => {
                state.status = match replayed.ended {
                    Ended::Done | Ended::Limit => "done",
                    Ended::Stopped => "stopped",
                    Ended::Aborted => "aborted",
                };
                (state.moved, state.failed) = (replayed.moved, replayed.failed);
                if let Some(canary) = replayed.canary.filter(|_| replayed.ended == Ended::Aborted) {
                    state
                        .problems
                        .push(format!("too many of those that went first were not well: {canary:?}"));
                }
                let problems = replayed.problems.into_iter();
                state.problems.extend(problems.map(|problem| format!("{}: {}", problem.id, problem.problem)));
            }
            Err(error) => {
                state.status = "failed";
                state.problems.push(error.to_string());
            }
        }
    }

    fn view(&self) -> View {
        View { id: self.id, what: self.what.clone(), began: self.began, state: lock(&self.state).clone() }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) async fn page(visit: Visit, Path(id): Path<u64>) -> Result<Response, Problem> {
    let view = visit.desk.jobs.find(id)?.view();
    let title = format!("Job {id}");
    Ok(page::show(&visit, "dead-letters", &title, &view, |view| {
        html! {
            (parts::title_in(("/dead-letters", "Dead letters"), &view.what, html! {}))
            div id="job" data-live { (whole(view, visit.may_act())) }
        }
    }))
}

fn whole(view: &View, may_act: bool) -> Markup {
    let state = &view.state;
    let class = match state.status {
        "done" => "good",
        "running" => "",
        "stopped" => "warn",
        _ => "bad",
    };
    let percent = state.seen.saturating_mul(100).checked_div(state.total.max(1)).unwrap_or_default().min(100);
    let percent = if state.ended.is_some() && state.status == "done" { 100 } else { percent };
    html! {
        section.card {
            header {
                span class=(format!("pill {class}")) { (state.status) }
                div.push { @if state.ended.is_none() { (gate::button(may_act, &format!("/jobs/{}/stop", view.id), "Stop", None)) } }
            }
            div.in {
                svg.bar viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label=(format!("{percent} percent")) {
                    rect.all width="100" height="4" {} rect.part width=(percent) height="4" {}
                }
                dl.facts {
                    dt { "Looked at" } dd { (parts::grouped(state.seen)) " of " (parts::grouped(state.total)) }
                    dt { "Sent back" } dd { (parts::grouped(state.moved)) }
                    dt { "Could not be sent" } dd { (parts::alarm(state.failed)) }
                    dt { "Began" } dd { (view.began) }
                    @if let Some(ended) = state.ended { dt { "Ended" } dd { (ended) } }
                }
                @if !state.problems.is_empty() { div class="note-box bad" { ul { @for problem in &state.problems { li { (problem) } } } } }
                @if state.ended.is_some() { p { a href="/dead-letters" { "What is left" } } }
            }
        }
    }
}

pub(super) async fn stop(visit: Visit, Path(id): Path<u64>) -> Result<Response, Problem> {
    let job = visit.desk.jobs.find(id)?;
    job.stop.send_replace(true);
    visit.note("stop", &job.what, "ok");
    Ok(match visit.json {
        true => page::as_json(&serde_json::json!({ "job": id, "stopping": true })),
        false => Redirect::to(&format!("/jobs/{id}")).into_response(),
    })
}
