//! Bodies: what is decoded is what they say, and what is not is told.

use serde::Deserialize;
use serde_json::Value;

use crate::envelope::{Envelope, Text};
use crate::extract::decode;
use crate::names::{ExchangeName, RoutingKey};

/// As messages of users are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "it is decoded, and not looked at")]
struct Form {
    id: u64,
    name: Option<String>,
    #[serde(default)]
    parts: Vec<Part>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it is decoded, and not looked at")]
enum Part {
    Text(String),
    Pair(i32, f64),
    Nested { parts: Vec<Part> },
}

/// A content type, which may be empty, and after the end of its line a body.
pub(super) fn body(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let content_type = parts.next().and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
    let body = parts.next().unwrap_or_default();
    let Ok(key) = RoutingKey::new("a") else { return };
    let mut envelope = Envelope::new(ExchangeName::default_exchange(), key, body.to_vec());
    let plain = decode::<Value>(&envelope);
    match (&plain, serde_json::from_slice::<Value>(body)) {
        (Ok(decoded), Ok(wanted)) => assert_eq!(*decoded, wanted),
        (Err(_), Err(_)) => {}
        (decoded, wanted) => panic!("{decoded:?}, not {wanted:?}"),
    }
    if let Err(rejection) = decode::<Form>(&envelope) {
        assert!(!rejection.to_string().is_empty());
    }
    envelope.properties.content_type = Some(Text::Owned(content_type.to_owned()));
    match decode::<Value>(&envelope) {
        // A content type refuses a body, and changes none.
        Ok(decoded) => assert_eq!(Some(decoded), plain.ok()),
        Err(rejection) => assert!(!rejection.to_string().is_empty()),
    }
}
