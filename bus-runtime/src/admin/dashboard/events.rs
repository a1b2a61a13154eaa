//! What happens, as it happens: server-sent events, for pages and for programs.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::messages::{self, Row};
use super::problem::Problem;
use super::visit::Visit;
use crate::app::Running;
use crate::expression::Expression;
use crate::history::Passed;
use crate::seam;

/// How often numbers are sent.
const TICK: Duration = Duration::from_secs(1);
/// So that proxies do not take a silent stream for a dead one.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Those who may watch at once.
const VIEWERS_MAX: usize = 50;

/// How many watch.
#[derive(Clone, Debug, Default)]
pub(super) struct Viewers(Arc<AtomicUsize>);

/// One who watches, until this is dropped.
struct Viewer(Viewers);

impl Viewers {
    fn enter(&self) -> Result<Viewer, Problem> {
        if self.0.fetch_add(1, Ordering::Relaxed) >= VIEWERS_MAX {
            self.0.fetch_sub(1, Ordering::Relaxed);
            return Err(Problem::busy(format!("{VIEWERS_MAX} others watch already.")));
        }
        Ok(Viewer(self.clone()))
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One stream of events.
struct Watch {
    running: Arc<Running>,
    messages: Option<broadcast::Receiver<Arc<Passed>>>,
    filter: Option<Expression>,
    as_rows: bool,
    sequence: u64,
    _viewer: Viewer,
}

pub(super) async fn stream(visit: Visit) -> Result<Response, Problem> {
    let running = visit.running()?;
    let topics = visit.get("topics").unwrap_or("stats");
    let wants_messages = topics.split(',').any(|topic| topic == "messages");
    let watch = Watch {
        messages: running.hub.history.live().filter(|_| wants_messages),
        filter: messages::filter(&visit)?,
        as_rows: visit.get("rows").is_some(),
        sequence: 0,
        _viewer: visit.desk.viewers.enter()?,
        running,
    };
    let events = stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((Ok::<_, Infallible>(event), watch))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response())
}

impl Watch {
    async fn next(&mut self) -> Option<Event> {
        if self.sequence == 0 {
            self.sequence = 1;
            return Some(Event::default().retry(2 * TICK).comment("hello"));
        }
        loop {
            let passed = match &mut self.messages {
                None => {
                    seam::sleep(TICK).await;
                    None
                }
                Some(messages) => tokio::select! {
                    biased;
                    () = seam::sleep(TICK) => None,
                    passed = messages.recv() => Some(passed),
                },
            };
            self.sequence += 1;
            let event = Event::default().id(self.sequence.to_string());
            return Some(match passed {
                None => event.event("stats").data(self.stats()),
                // Whoever is slow misses some: nothing waits for a viewer.
                Some(Err(RecvError::Lagged(missed))) => event.event("missed").data(missed.to_string()),
                Some(Err(RecvError::Closed)) => return None,
                Some(Ok(passed)) if self.filter.as_ref().is_some_and(|filter| !filter.matches(&*passed)) => {
                    continue;
                }
                Some(Ok(passed)) => self.message(event, &Row::of(&passed)),
            });
        }
    }

    fn message(&self, event: Event, row: &Row) -> Event {
        if self.as_rows {
            let html = serde_json::Value::String(messages::as_html(row).into_string());
            return event.event("row").data(html.to_string());
        }
        event.event("message").data(serde_json::to_string(row).unwrap_or_default())
    }

    fn stats(&self) -> String {
        let stats = self.running.stats();
        let handlers: Vec<_> = stats
            .handlers
            .iter()
            .map(|handler| json!([handler.name, handler.handled, handler.failed, handler.dead_lettered]))
            .collect();
        json!({
            "status": self.running.health().status,
            "published": stats.published,
            "in_flight": self.running.hub.in_flight.count(),
            "handlers": handlers,
        })
        .to_string()
    }
}
