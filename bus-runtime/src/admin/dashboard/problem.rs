//! What went wrong with a request: RFC 9457 for programs, a page for people.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::{Error, ErrorKind};

/// Why a request is not answered as it was meant.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) title: String,
    pub(super) help: Option<String>,
    code: Option<&'static str>,
}

impl Problem {
    fn new(status: StatusCode, title: impl Into<String>) -> Self {
        Self { status, title: title.into(), help: None, code: None }
    }

    pub(super) fn starting() -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "The app is starting.");
        problem.help = Some(
            "It connects to the broker and declares. This page works as soon as it consumes.".to_owned(),
        );
        problem
    }

    pub(super) fn nobody() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Sign in first.")
    }

    pub(super) fn forbidden(why: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, why)
    }

    pub(super) fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, what)
    }

    pub(super) fn input(what: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, what)
    }

    pub(super) fn busy(what: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, what)
    }

    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::NotFound | ErrorKind::UnknownHandler => StatusCode::NOT_FOUND,
            ErrorKind::InvalidName | ErrorKind::TooLarge => StatusCode::BAD_REQUEST,
            ErrorKind::Disconnected | ErrorKind::TimedOut => StatusCode::BAD_GATEWAY,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let code = Some(error.kind().code());
        Self { status, title: error.to_string(), help: error.help().map(str::to_owned), code }
    }
}

/// The document; whoever wants a page gets one made of it on the way out: see `gate.rs`.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, title, help, code } = &self;
        let document = json!({
            "type": "about:blank",
            "status": status.as_u16(),
            "title": title,
            "detail": help,
            "code": code,
        });
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let mut response = (*status, [kind], format!("{document:#}\n")).into_response();
        response.extensions_mut().insert(std::sync::Arc::new(self));
        response
    }
}
