//! The JSON Schema of each message.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Subject;
use crate::registration::MessageRegistration;
use crate::schema::Schemas;
use crate::shape::Shape;

/// One document with the schemas of all messages, by topic.
pub(crate) fn schemas(subject: Subject<'_>) -> Value {
    let mut schemas = Schemas::at("/definitions");
    let messages: Map<_, _> =
        subject.messages.iter().map(|one| (one.message.topic.to_owned(), of(one, &mut schemas))).collect();
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": subject.name,
        "description": "The messages of the program, by topic",
        "type": "object",
        "properties": messages,
        "additionalProperties": false,
        "definitions": schemas.common(),
    })
}

/// The schema of a message.
pub(super) fn of(registration: &MessageRegistration, schemas: &mut Schemas) -> Value {
    (registration.schema)(schemas).unwrap_or_else(|| of_shape(&(registration.shape)()))
}

/// A schema from what serde reads.
pub(super) fn of_shape(shape: &Shape) -> Value {
    let mut root = Node::default();
    for (path, kind) in &shape.0 {
        root.at(path).kind = Some(kind);
    }
    if root.kind.is_none() && !root.fields.is_empty() {
        root.kind = Some("object");
    }
    root.schema()
}

/// A value of the body, and what it consists of.
#[derive(Default)]
struct Node<'s> {
    kind: Option<&'s str>,
    fields: BTreeMap<&'s str, Node<'s>>,
    /// `[]`.
    element: Option<Box<Node<'s>>>,
    /// `[0]`, `[1]`.
    places: BTreeMap<usize, Node<'s>>,
    /// `{}`.
    value: Option<Box<Node<'s>>>,
}

impl<'s> Node<'s> {
    /// The node at a path such as `author.tags[]` or `words{}`.
    fn at(&mut self, path: &'s str) -> &mut Self {
        if path == "." {
            return self;
        }
        let mut node = self;
        for word in path.split('.') {
            let end = word.find(['[', '{']).unwrap_or(word.len());
            let (name, mut rest) = word.split_at(end);
            if !name.is_empty() {
                node = node.fields.entry(name).or_default();
            }
            while let Some((inside, after)) = bracket(rest) {
                node = match inside {
                    "{" => node.value.get_or_insert_default(),
                    "" => node.element.get_or_insert_default(),
                    number => node.places.entry(number.parse().unwrap_or_default()).or_default(),
                };
                rest = after;
            }
        }
        node
    }

    fn schema(&self) -> Value {
        let kind = self.kind.unwrap_or("any");
        let (kind, optional) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
        let mut schema = Map::new();
        if let Some(variants) = kind.strip_prefix("one of ") {
            // Whether a variant has content cannot be seen.
            let variants: Vec<_> = variants.split('|').collect();
            let mut forms = vec![
                json!({ "enum": variants }),
                json!({ "type": "object", "propertyNames": { "enum": variants }, "minProperties": 1, "maxProperties": 1 }),
            ];
            forms.extend(optional.then(|| json!({ "type": "null" })));
            schema.insert("anyOf".to_owned(), json!(forms));
            return Value::Object(schema);
        }
        if kind != "any" {
            schema.insert("type".to_owned(), if optional { json!([kind, "null"]) } else { json!(kind) });
        }
        if !self.fields.is_empty() {
            let fields: Map<_, _> =
                self.fields.iter().map(|(name, node)| ((*name).to_owned(), node.schema())).collect();
            let required: Vec<_> =
                self.fields.iter().filter(|(_, node)| node.is_required()).map(|(name, _)| *name).collect();
            schema.insert("properties".to_owned(), Value::Object(fields));
            schema.insert("required".to_owned(), json!(required));
        }
        if let Some(value) = &self.value {
            schema.insert("additionalProperties".to_owned(), value.schema());
        }
        if let Some(element) = &self.element {
            schema.insert("items".to_owned(), element.schema());
        } else if !self.places.is_empty() {
            let places: Vec<_> = self.places.values().map(Self::schema).collect();
            schema.insert("minItems".to_owned(), json!(places.len()));
            schema.insert("maxItems".to_owned(), json!(places.len()));
            schema.insert("items".to_owned(), json!(places));
        }
        Value::Object(schema)
    }

    fn is_required(&self) -> bool {
        self.kind.is_some_and(|kind| !kind.ends_with('?') && kind != "any")
    }
}

/// What stands in the bracket that a text begins with (`{` for `{}`), and what comes behind it.
fn bracket(text: &str) -> Option<(&str, &str)> {
    if let Some(after) = text.strip_prefix("{}") {
        return Some(("{", after));
    }
    text.strip_prefix('[')?.split_once(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_a_schema() {
        let shape = [
            ("author", "object?"),
            ("author.name", "string"),
            ("place[0]", "integer"),
            ("place[1]", "string"),
            ("place", "array"),
            ("rest", "any"),
            ("state", "one of draft|published"),
            ("tags", "array"),
            ("tags[]", "string"),
            ("words", "object"),
            ("words{}", "integer"),
        ];
        let shape = Shape(shape.map(|(path, kind)| (path.to_owned(), kind.to_owned())).into());
        let schema = of_shape(&shape);
        assert_eq!(schema["type"], "object");
        assert_eq!(schema["required"], json!(["place", "state", "tags", "words"]));
        let of = &schema["properties"];
        assert_eq!(of["author"]["type"], json!(["object", "null"]));
        assert_eq!(of["author"]["required"], json!(["name"]));
        assert_eq!(of["tags"], json!({ "type": "array", "items": { "type": "string" } }));
        assert_eq!(of["words"]["additionalProperties"], json!({ "type": "integer" }));
        assert_eq!(of["place"]["items"][1], json!({ "type": "string" }));
        assert_eq!(of["rest"], json!({}));
        assert_eq!(of["state"]["anyOf"][0], json!({ "enum": ["draft", "published"] }));
        let whole = Shape([(".".to_owned(), "integer".to_owned())].into());
        assert_eq!(of_shape(&whole), json!({ "type": "integer" }));
    }
}
