//! One look at the dashboard: who, at what, and in which form.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::header;
use axum::http::request::Parts;

use super::access::{Role, Visitor};
use super::problem::Problem;
use super::{Desk, fields};
use crate::app::{Running, Shown};

/// One look at the dashboard.
pub(super) struct Visit {
    pub(super) desk: Arc<Desk>,
    pub(super) visitor: Visitor,
    /// The query as it stands in the URL.
    pub(super) query_text: String,
    query: BTreeMap<String, String>,
    /// Where the visitor has found it.
    pub(super) host: String,
    /// Whether a program asks.
    pub(super) json: bool,
}

impl Visit {
    /// A value of the query that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The app that is shown.
    pub(super) fn running(&self) -> Result<Arc<Running>, Problem> {
        self.desk.running()
    }

    /// What is shown of the app beside what it does.
    pub(super) fn shown<'r>(&self, running: &'r Running) -> Result<&'r Shown, Problem> {
        running.shown.as_ref().ok_or_else(Problem::starting)
    }

    /// Whether the visitor may change things.
    pub(super) fn may_act(&self) -> bool {
        self.visitor.role >= Role::Operator
    }

    /// Whether bodies and headers of messages are shown.
    pub(super) fn shows_bodies(&self) -> bool {
        self.desk.access.shows_bodies()
    }

    /// Writes down what the visitor did.
    pub(super) fn note(&self, action: &'static str, target: &str, result: &str) {
        self.desk.log.note(&self.visitor.name, action, target, result);
    }
}

impl FromRequestParts<Arc<Desk>> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self, Problem> {
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
        let query_text = uri.query().unwrap_or_default().to_owned();
        let query = fields::of_form(query_text.as_bytes());
        let accepts = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let json = uri.path().starts_with("/api/")
            || query.get("format").is_some_and(|format| format == "json")
            || accepts.is_some_and(|accepts| accepts.starts_with("application/json"));
        let visitor = parts.extensions.get::<Visitor>().cloned().ok_or_else(Problem::nobody)?;
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.unwrap_or("127.0.0.1:9464").to_owned();
        Ok(Self { desk: Arc::clone(desk), visitor, query_text, query, host, json })
    }
}
