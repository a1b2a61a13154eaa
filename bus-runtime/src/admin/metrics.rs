//! `/metrics` and `/metrics.json`.

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::health::names_this_machine;
use super::serve::{FromHere, Seen};
use crate::app::Running;
use crate::observe::{self, Exposition, Percentiles};
use crate::seam;

/// Everything that the app counts, as text.
pub(super) async fn text(seen: State<Seen>, from: Extension<FromHere>, headers: HeaderMap) -> Response {
    let running = match allowed(&seen, from.0, &headers) {
        Ok(running) => running,
        Err(refused) => return refused.into_response(),
    };
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let exposition = Exposition::accepted(&accept.collect::<Vec<_>>().join(","));
    running.look_at_queues().await;
    answer(exposition.content_type(), observe::text(&running.metrics(), exposition))
}

/// The same as JSON; with percentiles when the query asks for them.
pub(super) async fn json(
    seen: State<Seen>,
    from: Extension<FromHere>,
    query: RawQuery,
    headers: HeaderMap,
) -> Response {
    let running = match allowed(&seen, from.0, &headers) {
        Ok(running) => running,
        Err(refused) => return refused.into_response(),
    };
    let asks = |part: &str| matches!(part, "percentiles" | "percentiles=1" | "percentiles=true");
    let percentiles = match query.0.is_some_and(|query| query.split('&').any(asks)) {
        true => Percentiles::Asked,
        false => Percentiles::NotAsked,
    };
    running.look_at_queues().await;
    let document = observe::json(&running.metrics(), seam::wall_clock(), percentiles);
    answer("application/json", format!("{document:#}\n"))
}

fn answer(content_type: &'static str, body: String) -> Response {
    let fixed = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (fixed, body).into_response()
}

/// Why somebody does not get what they ask for.
enum Refused {
    Starting,
    /// They show no token, or another.
    Token,
    /// A page of the web has tricked a browser of this machine into asking, by the name of its own host.
    Host,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Starting => (StatusCode::SERVICE_UNAVAILABLE, "the app is starting\n").into_response(),
            Self::Token => {
                let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
                let why = "show the token of BUS_METRICS_TOKEN: Authorization: Bearer ..\n";
                (StatusCode::UNAUTHORIZED, challenge, why).into_response()
            }
            Self::Host => {
                let why = "ask for this machine by its address or as localhost, or set BUS_METRICS_TOKEN and show it\n";
                (StatusCode::FORBIDDEN, why).into_response()
            }
        }
    }
}

/// The app, for those who may see it: clients on this machine, and others unless a token is set that they do not show.
fn allowed<'s>(seen: &'s Seen, from: FromHere, headers: &HeaderMap) -> Result<&'s Running, Refused> {
    let running = seen.get().ok_or(Refused::Starting)?;
    let is_here = from.0 && names_this_machine(headers);
    match &running.metrics.token {
        _ if is_here => Ok(running),
        Some(token) if shows(headers, token) => Ok(running),
        Some(_) => Err(Refused::Token),
        None if from.0 => Err(Refused::Host),
        None => Ok(running),
    }
}

/// Whether a client shows this token. It takes as long for a wrong one as for a right one of its length.
fn shows(headers: &HeaderMap, token: &str) -> bool {
    let shown =
        headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    shown.is_some_and(|shown| {
        let differs =
            shown.iter().zip(token.as_bytes()).fold(0, |differs, (one, other)| differs | (one ^ other));
        shown.len() == token.len() && differs == 0
    })
}
