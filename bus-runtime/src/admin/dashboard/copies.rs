//! What can be copied of a message: a test in Rust, a command, and a request for curl, each of which publishes the same again.

use maud::{Markup, html};
use serde::Serialize;

use super::parts;
use super::visit::Visit;
use crate::dead_letters::test_of;

/// A message, as far as it is copied.
#[derive(Clone, Copy)]
pub(super) struct Original<'m> {
    pub(super) exchange: &'m str,
    pub(super) key: &'m str,
    /// Nothing when it may not be shown.
    pub(super) body: Option<&'m [u8]>,
    /// The path of the handler's function.
    pub(super) handler: &'m str,
}

#[derive(Serialize)]
pub(super) struct Copies {
    rust_test: String,
    command: String,
    curl: String,
}

impl Copies {
    pub(super) fn of(visit: &Visit, app: &str, original: Original<'_>) -> Self {
        Self {
            rust_test: test_of(original.exchange, original.key, original.body, original.handler),
            command: command(app, original),
            curl: curl(&visit.host, !visit.desk.access.is_open(), original),
        }
    }

    pub(super) fn show(&self) -> Markup {
        html! {
            (card("As a Rust test", "rust-test", &self.rust_test))
            div.two {
                (card("As a command", "command", &self.command))
                (card("With curl", "curl", &self.curl))
            }
        }
    }
}

fn card(head: &str, id: &str, text: &str) -> Markup {
    let copy = html! { button type="button" data-copy=(id) data-label="Copy" { "Copy" } };
    parts::card(head, copy, html! { pre id=(id) tabindex="0" { (text) } })
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The command that publishes this.
fn command(app: &str, original: Original<'_>) -> String {
    let body = match original.body.map(std::str::from_utf8) {
        Some(Ok(text)) => quoted(text),
        Some(Err(_)) => "@body.bin".to_owned(),
        None => "'..'".to_owned(),
    };
    format!("{app} publish -e {} {} {body}\n", quoted(original.exchange), quoted(original.key))
}

/// The request that publishes this.
fn curl(host: &str, needs_token: bool, original: Original<'_>) -> String {
    let text = original.body.map_or(Ok(".."), std::str::from_utf8);
    let Ok(text) = text else {
        return "The body is no text: use the command.\n".to_owned();
    };
    let fields = serde_json::json!({ "exchange": original.exchange, "key": original.key, "body": text });
    let token = if needs_token { " \\\n  -H \"Authorization: Bearer $BUS_HTTP_TOKEN\"" } else { "" };
    format!(
        "curl http://{host}/api/v1/publish \\\n  -H 'Content-Type: application/json' -H 'X-Bus-Client: curl'{token} \\\n  -d {}\n",
        quoted(&fields.to_string())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ends_where_it_should() {
        let hostile = Original { exchange: "x", key: "it's", body: Some(b"'; rm -rf /"), handler: "a::b" };
        assert_eq!(command("app", hostile), "app publish -e 'x' 'it'\\''s' ''\\''; rm -rf /'\n");
    }
}
