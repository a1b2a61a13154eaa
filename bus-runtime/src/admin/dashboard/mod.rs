//! The dashboard: pages for people, and the same as JSON for programs. Rendered here, readable without scripts.

use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};

use super::serve::Seen;
use crate::app::Running;
use crate::config::HttpAccess;
use crate::seam;

mod access;
mod assets;
mod audit;
mod body;
mod config;
mod copies;
mod dead_letters;
mod depths;
mod docs;
mod events;
mod failures;
mod fields;
mod gate;
mod handlers;
mod jobs;
mod letter;
mod messages;
mod overview;
mod page;
mod parts;
mod problem;
mod publish;
mod queues;
mod replay;
mod route;
mod schema;
mod topology;
mod visit;
mod workers;

use audit::AuditLog;
use depths::Depths;
use jobs::Jobs;
use problem::Problem;

/// What all pages share.
pub(super) struct Desk {
    seen: Seen,
    access: HttpAccess,
    log: AuditLog,
    depths: Depths,
    fleet: workers::Fleet,
    jobs: Arc<Jobs>,
    viewers: events::Viewers,
}

impl Desk {
    /// The app that is shown.
    fn running(&self) -> Result<Arc<Running>, Problem> {
        self.seen.get().cloned().ok_or_else(Problem::starting)
    }
}

/// What a page may load, and who may frame it: nothing but what we serve, nobody.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The routes of the dashboard.
pub(super) fn router(seen: Seen, access: HttpAccess) -> Router {
    let desk = Arc::new(Desk {
        seen,
        access,
        log: AuditLog::default(),
        depths: Depths::default(),
        fleet: workers::Fleet::default(),
        jobs: Arc::default(),
        viewers: events::Viewers::default(),
    });
    let looks = Router::new()
        .route("/", get(overview::page))
        .route("/handlers", get(handlers::page))
        .route("/handlers/{name}", get(handlers::one))
        .route("/queues", get(queues::page))
        .route("/queues/{name}", get(queues::one))
        .route("/live", get(messages::live))
        .route("/messages/{number}", get(messages::one))
        .route("/failures", get(failures::page))
        .route("/dead-letters", get(dead_letters::page))
        .route("/dead-letters/{id}", get(letter::page))
        .route("/topology", get(topology::page))
        .route("/route", get(route::page))
        .route("/publish", get(publish::page))
        .route("/workers", get(workers::page))
        .route("/workers/{id}", get(workers::one))
        .route("/docs", get(docs::page))
        .route("/docs/{name}", get(docs::file))
        .route("/config", get(config::page))
        .route("/audit-log", get(audit::page))
        .route("/jobs/{id}", get(jobs::page))
        .route("/replay", get(replay::page));
    let acts = Router::new()
        .route("/publish", post(publish::act))
        .route("/queues/{name}/purge", post(queues::purge))
        .route("/queues/{name}/pause", post(queues::pause))
        .route("/queues/{name}/resume", post(queues::resume))
        .route("/dead-letters/replay", post(replay::act))
        .route("/dead-letters/purge", post(dead_letters::purge))
        .route("/dead-letters/export", get(dead_letters::export))
        .route("/dead-letters/{id}/edit", post(letter::edit))
        .route("/topology/apply", post(topology::apply))
        .route("/workers/{id}/quiet", post(workers::quiet))
        .route("/workers/{id}/resume", post(workers::resume))
        .route("/workers/{id}/drain", post(workers::drain))
        .route("/jobs/{id}/stop", post(jobs::stop));
    let api = looks
        .clone()
        .route("/overview", get(overview::page))
        .route("/events", get(events::stream))
        .merge(acts.clone());
    looks
        .merge(acts)
        .nest("/api/v1", api)
        .route("/login", get(gate::page).post(gate::sign_in))
        .route("/logout", post(gate::sign_out))
        .fallback(gate::nothing_here)
        .layer(from_fn_with_state(Arc::clone(&desk), gate::let_in))
        .route("/assets/{name}", get(assets::asset))
        .layer(axum::middleware::from_fn(safely))
        .with_state(desk)
}

/// Takes note of the counters once a second, for as long as the app is there.
pub(super) async fn sample(running: Weak<Running>) {
    const STEP: Duration = Duration::from_secs(1);
    /// After so many steps it is saved: what a crash may cost.
    const SAVED_EVERY: u32 = 60;
    let mut steps = 0;
    loop {
        seam::sleep(STEP).await;
        let Some(running) = running.upgrade() else { return };
        running.hub.history.sample(&running.counters);
        steps += 1;
        if steps == SAVED_EVERY {
            steps = 0;
            running.hub.history.save(&running.plan.handlers);
        }
    }
}

/// Writes what every answer says to browsers.
async fn safely(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
