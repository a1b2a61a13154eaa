//! The body of a message, for people: JSON with colours, text as it is, bytes as numbers.

use maud::{Markup, PreEscaped, html};

/// What is shown of a body.
const SHOWN_MAX: usize = 64 * 1024;
/// Bytes of a body that is no text.
const BYTES_SHOWN: usize = 512;

/// A body as text: JSON laid out, else as it is, else in hexadecimal digits.
pub(super) fn text(body: &[u8]) -> String {
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) {
        return format!("{value:#}");
    }
    match std::str::from_utf8(body) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let mut shown = String::new();
            for line in body.get(..BYTES_SHOWN).unwrap_or(body).chunks(16) {
                line.iter().for_each(|byte| shown.push_str(&format!("{byte:02x} ")));
                shown.push('\n');
            }
            shown
        }
    }
}

/// A body as a part of a page.
pub(super) fn show(body: &[u8], id: &str) -> Markup {
    if body.is_empty() {
        return html! { p.soft { "The body is empty." } };
    }
    let mut shown = text(body);
    let is_cut = shown.len() > SHOWN_MAX;
    if is_cut {
        let end = (0..=SHOWN_MAX).rev().find(|end| shown.is_char_boundary(*end)).unwrap_or_default();
        shown.truncate(end);
    }
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    html! {
        pre id=(id) tabindex="0" { @if is_json && !is_cut { (coloured(&shown)) } @else { (shown) } }
        @if is_cut { p.soft { "Only the first " (super::parts::bytes(SHOWN_MAX as u64)) " of " (super::parts::bytes(body.len() as u64)) " are shown." } }
    }
}

/// JSON with colours. It is escaped here, whatever it says.
fn coloured(json: &str) -> Markup {
    let mut page = String::with_capacity(json.len() * 2);
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let (length, class) = match first {
            '"' => {
                let length = string_length(rest);
                let is_key = rest.get(length..).is_some_and(|after| after.starts_with(':'));
                (length, if is_key { "j-key" } else { "j-text" })
            }
            first if first.is_alphanumeric() || first == '-' => {
                let end = |c: char| !(c.is_alphanumeric() || matches!(c, '-' | '+' | '.'));
                (rest.find(end).unwrap_or(rest.len()), "j-word")
            }
            other => (other.len_utf8(), ""),
        };
        let (token, after) = rest.split_at(length);
        let escaped = html! { (token) }.into_string();
        match class {
            "" => page.push_str(&escaped),
            class => page.push_str(&format!("<span class=\"{class}\">{escaped}</span>")),
        }
        rest = after;
    }
    PreEscaped(page)
}

/// The length of the string that a text begins with, its quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_body_says_stays_text() {
        for hostile in [
            r#"{"<script>alert(1)</script>":"</pre><img src=x onerror=alert(1)>"}"#,
            "<script>alert(1)</script>",
            r#""\"</span><svg onload=alert(1)>""#,
        ] {
            let page = show(hostile.as_bytes(), "body").into_string();
            assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("<svg"), "{page}");
        }
    }

    #[test]
    fn json_has_colours_and_bytes_are_numbers() {
        let page = show(br#"{"a":"b\"c","n":-1.5,"t":true}"#, "body").into_string();
        assert!(
            page.contains("<span class=\"j-key\">&quot;a&quot;</span>: <span class=\"j-text\">"),
            "{page}"
        );
        assert!(page.contains("<span class=\"j-word\">-1.5</span>"), "{page}");
        assert_eq!(text(&[0xff, 0x00]), "ff 00 \n");
        assert!(show(b"", "body").into_string().contains("empty"));
    }
}
