//! JSON Schemas of messages, as far as pages show them and forms are made of them.

use serde_json::{Map, Value, json};

/// How deep a body is shown: a type may contain itself.
const DEPTH_MAX: usize = 6;

/// What a field of a form is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Text,
    Integer,
    Number,
    Flag,
    /// One of these texts.
    Choice(Vec<String>),
    /// Anything else, as JSON.
    Json,
}

/// A property of a message's body.
#[derive(Clone, Debug)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) input: Input,
    pub(super) required: bool,
    pub(super) description: String,
}

/// A value that a schema speaks of, as a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// `lines[].article`.
    pub(super) path: String,
    pub(super) kind: String,
    pub(super) required: bool,
    pub(super) description: String,
}

/// The documents that schemas are in: `$ref` points into them.
#[derive(Clone, Copy)]
pub(super) struct Book<'d>(pub(super) &'d Value);

impl<'d> Book<'d> {
    /// The message of a topic.
    pub(super) fn message(self, topic: &str) -> Option<&'d Value> {
        let messages = self.0["components"]["messages"].as_object()?;
        messages.values().find(|message| message["name"] == topic)
    }

    /// What a schema stands for.
    pub(super) fn resolved(self, schema: &'d Value) -> &'d Value {
        let target = schema["$ref"].as_str().and_then(|path| self.0.pointer(path.trim_start_matches('#')));
        // `schemars` wraps a reference that has a description of its own.
        let wrapped = schema["allOf"].as_array().filter(|all| all.len() == 1).map(|all| &all[0]);
        match (target, wrapped) {
            (Some(target), _) => target,
            (None, Some(inner)) => self.resolved(inner),
            (None, None) => schema,
        }
    }

    /// The properties of a body, if it is an object.
    pub(super) fn properties(self, schema: &'d Value) -> Vec<Property> {
        let schema = self.resolved(schema);
        let Some(properties) = schema["properties"].as_object() else { return Vec::new() };
        let property = |(name, of): (&String, &'d Value)| Property {
            name: name.clone(),
            input: input(self.resolved(of)),
            required: is_required(schema, name),
            description: text(of, "description")
                .or_else(|| text(self.resolved(of), "description"))
                .unwrap_or_default(),
        };
        properties.iter().map(property).collect()
    }

    /// Everything that a body consists of.
    pub(super) fn lines(self, schema: &'d Value) -> Vec<Line> {
        let mut lines = Vec::new();
        self.walk(schema, "", true, &mut lines, 0);
        lines
    }

    fn walk(self, schema: &'d Value, path: &str, required: bool, lines: &mut Vec<Line>, depth: usize) {
        let inner = self.resolved(schema);
        if !path.is_empty() {
            let description = text(schema, "description").or_else(|| text(inner, "description"));
            let description = description.unwrap_or_default();
            lines.push(Line { path: path.to_owned(), kind: kind(inner), required, description });
        }
        if depth == DEPTH_MAX {
            return;
        }
        for (name, of) in inner["properties"].as_object().into_iter().flatten() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.walk(of, &path, is_required(inner, name), lines, depth + 1);
        }
        if inner["items"].is_object() {
            self.walk(&inner["items"], &format!("{path}[]"), true, lines, depth + 1);
        }
    }

    /// A body that a schema allows, to begin with.
    pub(super) fn sample(self, schema: &'d Value) -> Value {
        self.sample_at(schema, 0)
    }

    fn sample_at(self, schema: &'d Value, depth: usize) -> Value {
        let schema = self.resolved(schema);
        if let Some(given) = ["default", "example", "const"].iter().find_map(|name| schema.get(*name)) {
            return given.clone();
        }
        if let Some(first) = schema["examples"].get(0).or_else(|| schema["enum"].get(0)) {
            return first.clone();
        }
        if let Some(first) = schema["anyOf"].get(0).or_else(|| schema["oneOf"].get(0)) {
            return self.sample_at(first, depth);
        }
        match kind(schema).trim_end_matches('?') {
            "object" if depth < DEPTH_MAX => {
                let fields = schema["properties"].as_object().into_iter().flatten();
                let required = fields.filter(|(name, _)| is_required(schema, name));
                let sample = |(name, of): (&String, &'d Value)| (name.clone(), self.sample_at(of, depth + 1));
                Value::Object(required.map(sample).collect::<Map<_, _>>())
            }
            "object" => json!({}),
            "array" => json!([]),
            "string" => json!(""),
            "integer" | "number" => json!(0),
            "boolean" => json!(false),
            _ => Value::Null,
        }
    }
}

fn text(schema: &Value, name: &str) -> Option<String> {
    schema[name].as_str().map(str::to_owned)
}

fn is_required(schema: &Value, name: &str) -> bool {
    schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name))
}

/// The type of a value; `?` behind it says that it may be null.
fn kind(schema: &Value) -> String {
    if let Some(all) = schema["enum"].as_array() {
        return all.iter().map(super::messages::as_text).collect::<Vec<_>>().join(" | ");
    }
    match &schema["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let named: Vec<_> =
                kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect();
            let may_be_null = if named.len() < kinds.len() { "?" } else { "" };
            format!("{}{may_be_null}", named.join(" | "))
        }
        _ => "any".to_owned(),
    }
}

fn input(schema: &Value) -> Input {
    let texts =
        |all: &Vec<Value>| all.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
    if let Some(choices) = schema["enum"].as_array().and_then(texts) {
        return Input::Choice(choices);
    }
    match kind(schema).trim_end_matches('?') {
        "string" => Input::Text,
        "integer" => Input::Integer,
        "number" => Input::Number,
        "boolean" => Input::Flag,
        _ => Input::Json,
    }
}

/// The value that somebody has typed into a field; `None` leaves it out.
pub(super) fn typed(property: &Property, text: Option<&str>) -> Result<Option<Value>, String> {
    let Property { name, input, required, description: _ } = property;
    let wrong = |what: &str| format!("`{name}` is not {what}");
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return match (input, required) {
            (Input::Flag, true) => Ok(Some(json!(false))),
            (Input::Text, true) => Ok(Some(json!(""))),
            (_, true) => Err(format!("`{name}` is missing")),
            (_, false) => Ok(None),
        };
    };
    let value = match input {
        Input::Text => json!(text),
        Input::Choice(all) if all.iter().any(|one| one == text) => json!(text),
        Input::Choice(_) => return Err(wrong("one of the choices")),
        Input::Flag => json!(!matches!(text, "false" | "0" | "off")),
        Input::Integer => match (text.trim().parse::<i64>(), text.trim().parse::<u64>()) {
            (Ok(number), _) => json!(number),
            (_, Ok(number)) => json!(number),
            _ => return Err(wrong("a whole number")),
        },
        Input::Number => json!(text.trim().parse::<f64>().map_err(|_| wrong("a number"))?),
        Input::Json => {
            serde_json::from_str(text).map_err(|error| format!("`{name}` is not JSON: {error}"))?
        }
    };
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> Value {
        json!({ "components": {
            "messages": { "order.placed": { "name": "order.placed", "payload": {
                "type": "object",
                "required": ["id", "lines", "state"],
                "properties": {
                    "id": { "type": "integer", "description": "Counts." },
                    "note": { "type": ["string", "null"] },
                    "lines": { "type": "array", "items": { "$ref": "#/components/schemas/Line" } },
                    "state": { "enum": ["open", "paid"] },
                    "gift": { "type": "boolean" },
                },
            } } },
            "schemas": { "Line": {
                "type": "object",
                "required": ["article"],
                "properties": { "article": { "type": "string" }, "within": { "$ref": "#/components/schemas/Line" } },
            } },
        } })
    }

    #[test]
    fn a_schema_is_a_form_and_a_sample() {
        let document = book();
        let book = Book(&document);
        let payload = &book.message("order.placed").unwrap()["payload"];
        let inputs: Vec<_> =
            book.properties(payload).into_iter().map(|one| (one.name, one.input, one.required)).collect();
        let choice = Input::Choice(vec!["open".to_owned(), "paid".to_owned()]);
        assert_eq!(
            inputs,
            [
                ("gift".to_owned(), Input::Flag, false),
                ("id".to_owned(), Input::Integer, true),
                ("lines".to_owned(), Input::Json, true),
                ("note".to_owned(), Input::Text, false),
                ("state".to_owned(), choice, true),
            ]
        );
        assert_eq!(book.sample(payload), json!({ "id": 0, "lines": [], "state": "open" }));
        let lines = book.lines(payload);
        let line = lines.iter().find(|line| line.path == "lines[].article").unwrap();
        assert_eq!((line.kind.as_str(), line.required), ("string", true));
        assert!(lines.len() < 20, "a type that contains itself comes to an end");
    }

    #[test]
    fn what_is_typed_is_a_value() {
        let of =
            |input, required| Property { name: "x".to_owned(), input, required, description: String::new() };
        let value = |input, text| typed(&of(input, false), Some(text));
        assert_eq!(value(Input::Integer, " 7 "), Ok(Some(json!(7))));
        assert_eq!(value(Input::Integer, "18446744073709551615"), Ok(Some(json!(u64::MAX))));
        assert_eq!(value(Input::Number, "1.5"), Ok(Some(json!(1.5))));
        assert_eq!(value(Input::Json, "[1]"), Ok(Some(json!([1]))));
        assert_eq!(value(Input::Flag, "on"), Ok(Some(json!(true))));
        assert!(value(Input::Integer, "7.5").is_err() && value(Input::Json, "[").is_err());
        assert!(value(Input::Choice(vec!["a".to_owned()]), "b").is_err());
        assert_eq!(typed(&of(Input::Json, false), None), Ok(None));
        assert_eq!(typed(&of(Input::Flag, false), None), Ok(None));
        assert_eq!(typed(&of(Input::Text, true), None), Ok(Some(json!(""))));
        assert!(typed(&of(Input::Integer, true), None).is_err());
    }
}
