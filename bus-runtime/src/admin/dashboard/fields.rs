//! What a form or a program sends: names and texts.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header;

use super::problem::Problem;

/// The fields of a form, or of a JSON object.
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// A field that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.trim().is_empty())
    }

    /// A field that has to be there.
    pub(super) fn need(&self, name: &str) -> Result<&str, Problem> {
        self.get(name).ok_or_else(|| Problem::input(format!("`{name}` is missing")))
    }

    /// A number, if the field is there.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.trim().parse().map(Some).map_err(|_| Problem::input(format!("`{name}` is not a number: {text}")))
    }

    /// Whether a box is ticked.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !matches!(value, "0" | "false" | "off"))
    }
}

/// The pairs of a query or of a form.
pub(super) fn of_form(text: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(text).into_owned().collect()
}

fn of_json(text: &[u8]) -> Result<BTreeMap<String, String>, Problem> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(text)
        .map_err(|error| Problem::input(format!("the body is not a JSON object: {error}")))?;
    let text = |value| match value {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    };
    Ok(object.into_iter().map(|(name, value)| (name, text(value))).collect())
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_json = kind.is_some_and(|kind| kind.starts_with("application/json"));
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|error| Problem::input(format!("the body cannot be read: {error}")))?;
        Ok(Self(if is_json { of_json(&body)? } else { of_form(&body) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_objects_say_the_same() {
        let form = Fields(of_form(b"key=wiki.a+b&rate=50&dry_run=on&empty=+"));
        let json =
            Fields(of_json(br#"{"key":"wiki.a b","rate":50,"dry_run":true,"empty":null}"#).ok().unwrap());
        for fields in [form, json] {
            assert_eq!(fields.get("key"), Some("wiki.a b"));
            assert_eq!(fields.number::<f64>("rate").ok().flatten(), Some(50.0));
            assert!(fields.is_set("dry_run") && fields.get("empty").is_none());
            assert!(fields.need("nothing").is_err() && fields.number::<u64>("key").is_err());
        }
    }
}
