//! What a message type looks like as JSON: found out by letting its `Deserialize` ask for what it wants. Pure.
//!
//! So the shape is that which serde really reads: with its renames, skipped fields and `with` modules. What serde itself does
//! not know in advance (`#[serde(flatten)]`, untagged enums, `Value`) is `any` here.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::de::value::{Error as Stop, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// How deep types are followed: a type that contains itself ends there.
const DEPTH_MAX: usize = 16;
/// How often a type is asked: once for each value that refuses what it is given, and an end for a type that refuses for ever.
const RUNS_MAX: usize = 1_000;

/// The JSON types of a message by their paths: `author.id` is `integer`. `tags[]` is an element, `words{}` a value of a map,
/// `.` the whole body, and `?` behind a type says that it may be null or missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape(pub BTreeMap<String, String>);

impl Shape {
    /// The shape of a type.
    #[must_use]
    pub fn of<T: DeserializeOwned>() -> Self {
        let notes = Notes::default();
        for _ in 0..RUNS_MAX {
            let before = notes.refused.borrow().len();
            *notes.noted_refusal.borrow_mut() = false;
            let asked =
                T::deserialize(Tracer { notes: &notes, path: String::new(), depth: 0, optional: false });
            // A value may refuse the sample that it is given, as an address refuses an empty text. It is left out next time,
            // so that what comes behind it is seen.
            if asked.is_ok() || notes.refused.borrow().len() == before {
                break;
            }
        }
        let mut types = notes.types.into_inner();
        if types.get(".").is_some_and(|whole| whole == "object") && types.len() > 1 {
            types.remove(".");
        }
        Self(types)
    }
}

/// What was found out so far.
#[derive(Default)]
struct Notes {
    types: RefCell<BTreeMap<String, String>>,
    /// Fields that refused their sample.
    refused: RefCell<BTreeSet<String>>,
    /// Whether one did in this run: those around it fail with it.
    noted_refusal: RefCell<bool>,
}

impl Notes {
    fn refuse(&self, path: &str) {
        if !self.noted_refusal.replace(true) {
            self.refused.borrow_mut().insert(path.to_owned());
        }
    }
}

/// A deserializer that hands out samples and notes what it was asked for.
struct Tracer<'n> {
    notes: &'n Notes,
    path: String,
    depth: usize,
    optional: bool,
}

impl<'n> Tracer<'n> {
    fn note(&self, name: &str) {
        let path = if self.path.is_empty() { "." } else { self.path.as_str() };
        let name = if self.optional { format!("{name}?") } else { name.to_owned() };
        self.notes.types.borrow_mut().insert(path.to_owned(), name);
    }

    fn inner(&self, path: String) -> Result<Tracer<'n>, Stop> {
        match self.depth < DEPTH_MAX {
            true => Ok(Tracer { notes: self.notes, path, depth: self.depth + 1, optional: false }),
            false => Err(Stop::custom("a type that contains itself")),
        }
    }

    fn field(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// Methods that note a type and hand out a sample of it.
macro_rules! samples {
    ($($method:ident => $name:literal, $visit:ident($($sample:expr)?);)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
            self.note($name);
            visitor.$visit($($sample)?)
        })*
    };
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Stop;

    samples! {
        deserialize_any => "any", visit_unit();
        deserialize_bool => "boolean", visit_bool(true);
        deserialize_i8 => "integer", visit_i8(1);
        deserialize_i16 => "integer", visit_i16(1);
        deserialize_i32 => "integer", visit_i32(1);
        deserialize_i64 => "integer", visit_i64(1);
        deserialize_i128 => "integer", visit_i128(1);
        deserialize_u8 => "integer", visit_u8(1);
        deserialize_u16 => "integer", visit_u16(1);
        deserialize_u32 => "integer", visit_u32(1);
        deserialize_u64 => "integer", visit_u64(1);
        deserialize_u128 => "integer", visit_u128(1);
        deserialize_f32 => "number", visit_f32(1.0);
        deserialize_f64 => "number", visit_f64(1.0);
        deserialize_char => "string", visit_char('a');
        deserialize_str => "string", visit_str("");
        deserialize_string => "string", visit_str("");
        deserialize_bytes => "array", visit_bytes(&[]);
        deserialize_byte_buf => "array", visit_bytes(&[]);
        deserialize_unit => "null", visit_unit();
        deserialize_identifier => "string", visit_str("");
        deserialize_ignored_any => "any", visit_unit();
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_some(Tracer { optional: true, ..self })
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.note("array");
        visitor.visit_seq(Elements { of: self, next: 0, count: None })
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Stop> {
        self.note("array");
        visitor.visit_seq(Elements { of: self, next: 0, count: Some(count) })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.deserialize_tuple(count, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.note("object");
        visitor.visit_map(Values { of: self, taken: false })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.note("object");
        visitor.visit_map(Fields { of: self, fields: fields.iter(), current: "" })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.note(&format!("one of {}", variants.join("|")));
        let first = variants.first().copied().ok_or_else(|| Stop::custom("an enum without variants"))?;
        visitor.visit_enum(Variant(first))
    }
}

/// The fields of a struct, but for those that refused their sample before.
struct Fields<'n> {
    of: Tracer<'n>,
    fields: std::slice::Iter<'static, &'static str>,
    current: &'static str,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        for name in self.fields.by_ref() {
            if self.of.notes.refused.borrow().contains(&self.of.field(name)) {
                continue;
            }
            self.current = name;
            return seed.deserialize(StrDeserializer::new(name)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        let path = self.of.field(self.current);
        let value = self.of.inner(path.clone()).and_then(|inner| seed.deserialize(inner));
        value.inspect_err(|_| self.of.notes.refuse(&path))
    }
}

/// One element of a list, or all of a tuple.
struct Elements<'n> {
    of: Tracer<'n>,
    next: usize,
    count: Option<usize>,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Stop> {
        if self.next >= self.count.unwrap_or(1) {
            return Ok(None);
        }
        let path = match self.count {
            Some(_) => format!("{}[{}]", self.of.path, self.next),
            None => format!("{}[]", self.of.path),
        };
        self.next += 1;
        seed.deserialize(self.of.inner(path)?).map(Some)
    }
}

/// One value of a map.
struct Values<'n> {
    of: Tracer<'n>,
    taken: bool,
}

impl<'de> MapAccess<'de> for Values<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        if std::mem::replace(&mut self.taken, true) {
            return Ok(None);
        }
        seed.deserialize(Key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        seed.deserialize(self.of.inner(format!("{}{{}}", self.of.path))?)
    }
}

/// The key of a map: a text, or a number where one is asked for.
struct Key;

impl<'de> Deserializer<'de> for Key {
    type Error = Stop;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_str("")
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_u64(1)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The first variant of an enum, without content.
struct Variant(&'static str);

impl<'de> EnumAccess<'de> for Variant {
    type Error = Stop;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Stop> {
        Ok((seed.deserialize(StrDeserializer::<Stop>::new(self.0))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, _: S) -> Result<S::Value, Stop> {
        Err(Stop::custom("a variant with content"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Stop> {
        Err(Stop::custom("a variant with content"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Stop> {
        Err(Stop::custom("a variant with content"))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use serde::Deserialize;

    use super::*;

    /// Reads what serde calls by other names, refuses samples, and contains itself.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "only its shape is asked for")]
    struct Page {
        page_id: u64,
        #[serde(rename = "headline")]
        title: String,
        score: f32,
        from: Ipv4Addr,
        author: Author,
        tags: Vec<String>,
        words: BTreeMap<String, i8>,
        parent: Option<Box<Page>>,
        state: State,
        #[serde(skip)]
        cached: bool,
        rest: serde_json::Value,
        place: (u8, String),
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape is asked for")]
    struct Author {
        address: std::net::SocketAddr,
        name: Option<String>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "lowercase")]
    #[expect(dead_code, reason = "only its shape is asked for")]
    enum State {
        Draft(u8),
        Published,
    }

    fn lines<T: DeserializeOwned>() -> Vec<String> {
        Shape::of::<T>().0.into_iter().map(|(path, name)| format!("{path}: {name}")).collect()
    }

    #[test]
    fn a_shape_is_what_serde_reads() {
        let lines = lines::<Page>();
        let own: Vec<_> =
            lines.iter().filter(|line| !line.starts_with("parent.")).map(String::as_str).collect();
        assert_eq!(
            own,
            [
                "author: object",
                "author.address: string",
                "author.name: string?",
                "from: string",
                "headline: string",
                "pageId: integer",
                "parent: object?",
                "place: array",
                "place[0]: integer",
                "place[1]: string",
                "rest: any",
                "score: number",
                "state: one of draft|published",
                "tags: array",
                "tags[]: string",
                "words: object",
                "words{}: integer",
            ]
        );
    }

    #[test]
    fn the_body_itself_may_be_anything() {
        assert_eq!(lines::<u64>(), [".: integer"]);
        assert_eq!(lines::<()>(), [".: null"]);
        assert_eq!(lines::<Vec<bool>>(), [".: array", "[]: boolean"]);
        assert_eq!(lines::<Author>(), ["address: string", "name: string?"]);
    }
}
