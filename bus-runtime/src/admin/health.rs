//! `/livez`, `/readyz` and `/healthz`.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::serve::{FromHere, Seen};
use crate::app::Health;

/// Whether the process is worth keeping. A broker that is away does not change that.
pub(super) async fn live(seen: State<Seen>, from: Extension<FromHere>, headers: HeaderMap) -> Response {
    answer(&seen, from.0, &headers, Health::is_live)
}

/// Whether the app does its work.
pub(super) async fn ready(seen: State<Seen>, from: Extension<FromHere>, headers: HeaderMap) -> Response {
    answer(&seen, from.0, &headers, Health::is_ready)
}

/// Both.
pub(super) async fn all(seen: State<Seen>, from: Extension<FromHere>, headers: HeaderMap) -> Response {
    answer(&seen, from.0, &headers, |health| health.is_live() && health.is_ready())
}

fn answer(seen: &Seen, from: FromHere, headers: &HeaderMap, is_well: fn(&Health) -> bool) -> Response {
    let health = seen.get().map_or_else(Health::starting, |running| running.health());
    let status = if is_well(&health) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    // Names of queues and of the broker are for those on this machine; a page of the web that has tricked a browser into
    // asking comes with the name of its own host.
    let document = match from.0 && names_this_machine(headers) {
        true => json!({
            "schema": "bus.health/1",
            "status": health.status,
            "problems": health.problems,
            "broker": health.broker,
            "consumers": health.consumers,
        }),
        false => json!({ "schema": "bus.health/1", "status": health.status }),
    };
    let fixed = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, fixed, format!("{document:#}\n")).into_response()
}

/// Whether the host that the client asks for is this machine, by an address or as `localhost`.
pub(super) fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, _)) => name,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (host, here) in [
            ("localhost:9464", true),
            ("127.0.0.1:9464", true),
            ("[::1]:9464", true),
            ("10.0.0.1", true),
            ("evil.example:9464", false),
            ("localhost.evil.example", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
            assert_eq!(names_this_machine(&headers), here, "{host}");
        }
        assert!(!names_this_machine(&HeaderMap::new()));
    }
}
