//! JSON values as YAML: what is not plainly a word is written as a JSON text, which YAML reads too.

use serde_json::Value;

/// The value as a YAML document.
pub(crate) fn yaml(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value, 0);
    text.trim_start_matches('\n').to_owned()
}

/// Writes a value behind its key or dash: on the same line when it fits there.
fn write(text: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                text.push_str(&format!("\n{indent}{}:", word(key)));
                write(text, value, depth + 1);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut inner = String::new();
                write(&mut inner, item, depth + 1);
                // The first line stands beside the dash, and is as far to the right as the others.
                text.push_str(&format!("\n{indent}- {}", inner.trim_start()));
            }
        }
        Value::String(one) => text.push_str(&format!(" {}", word(one))),
        other => text.push_str(&format!(" {other}")),
    }
    if depth == 0 {
        text.push('\n');
    }
}

/// A text without quotes where nobody could take it for anything else.
fn word(text: &str) -> String {
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|one| one.is_ascii_alphanumeric() || "_-./ ".contains(one))
        && !text.ends_with(' ');
    // Words that one version of YAML or another reads as something else.
    let other = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    match is_plain && !other.contains(&text.to_lowercase().as_str()) {
        true => text.to_owned(),
        false => Value::from(text).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_people_write_them() {
        let value = json!({
            "asyncapi": "3.0.0", "on": "no", "empty": {}, "list": ["a", {"b": 1, "c": [true, null]}, []], "text": "a: b\n"
        });
        let wanted = r#"asyncapi: "3.0.0"
empty: {}
list:
  - a
  - b: 1
    c:
      - true
      - null
  - []
"on": "no"
text: "a: b\n"
"#;
        assert_eq!(yaml(&value), wanted);
    }
}
