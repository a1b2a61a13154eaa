//! Tables of what is true, and of what is told about mistakes.

use std::borrow::Cow;

use super::*;

const FIELDS: [Field; 5] = [
    Field::text("error"),
    Field::text("key"),
    Field::number("attempts"),
    Field::duration("age"),
    Field::text("header."),
];

struct Thing;

impl Subject for Thing {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        Some(match name {
            "error" => Value::Text(Cow::Borrowed("Connection Timeout (after 30 s)")),
            "key" => Value::Text(Cow::Borrowed("wiki.home.saved")),
            "attempts" => Value::Number(6.0),
            "age" => Value::Duration(Duration::from_secs(5400)),
            "header.tenant" => Value::Text(Cow::Borrowed("acme \"west\"")),
            "header.size" => Value::Number(7.0),
            _ => return None,
        })
    }
}

#[test]
fn what_is_true() {
    let table = [
        (r#"error~"timeout" && age<2h"#, true),
        (r#"error~"timeout" && age<1h"#, false),
        ("error~timeout and age>=90m", true),
        ("age=5400", true),
        ("age > 1h30m", false),
        ("key=wiki.home.saved", true),
        ("key=wiki.*", true),
        ("key=*.saved", true),
        ("key=*home*", true),
        ("key=wiki", false),
        ("key!=wiki.*", false),
        ("key==wiki.home.saved", true),
        ("error !~ timeout", false),
        ("attempts>5", true),
        ("attempts<=5 || attempts=6", true),
        ("!(attempts<=5) and not key~blog", true),
        ("!!attempts", true),
        ("header.tenant='acme \"west\"'", true),
        (r#"header.tenant="acme \"west\"""#, true),
        ("header.size=7", true),
        ("header.none", false),
        ("header.none=x", false),
        ("header.none!=x", true),
        ("header.none!~x", true),
        ("header.tenant", true),
        ("error~x or error~y or error~time", true),
        ("key~blog or key~wiki and attempts>100", false),
        ("(key~blog or key~wiki) and attempts>5", true),
        ("key='a && b'", false),
    ];
    for (text, wanted) in table {
        let expression = Expression::parse(text, &FIELDS).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(expression.matches(&Thing), wanted, "{text}");
    }
}

#[test]
fn what_is_told_about_mistakes() {
    let table = [
        ("", 1, "expected a field here: error, key, attempts, age, header.NAME"),
        ("eror~x", 1, "there is no field `eror`; did you mean `error`?"),
        (
            "key=x && colour=red",
            10,
            "there is no field `colour`; there are error, key, attempts, age, header.NAME",
        ),
        ("age<soon", 5, "`soon` is no duration: say 30s, 5m, 2h or 7d"),
        ("attempts>many", 10, "`many` is no number, and `attempts` is one"),
        ("attempts~6", 9, "`attempts` is a number: compare it with =, !=, <, <=, > or >="),
        ("age~6", 4, "`age` is a length of time: compare it with <, <=, > or >="),
        ("error<x", 6, "`error` is a text: compare it with =, !=, ~ or !~"),
        ("error=\"x", 7, "this \" is never closed"),
        ("(error", 1, "this `(` is never closed"),
        ("error)", 6, "this `)` closes nothing"),
        ("error & key", 7, "a single `&`; write `&&`"),
        ("error key", 7, "expected `&&` or `||` here"),
        ("error=", 7, "expected a value for `error` here"),
        (
            "error==&&",
            8,
            "expected a value for `error` here; put it in quotes when it holds such a character",
        ),
        ("error &&", 9, "expected a field here: error, key, attempts, age, header.NAME"),
    ];
    for (text, column, message) in table {
        let error = Expression::parse(text, &FIELDS).unwrap_err();
        assert_eq!((error.column(), error.message()), (column, message), "{text}");
    }
    let nested = format!("{}error", "!".repeat(100));
    assert_eq!(Expression::parse(&nested, &FIELDS).unwrap_err().message(), "more than 64 levels of nesting");
}

#[test]
fn a_mistake_is_pointed_at() {
    let error = Expression::parse("key~\"ä\" && eror~x", &FIELDS).unwrap_err();
    let told = "there is no field `eror`; did you mean `error`? (column 12)\n    key~\"ä\" && eror~x\n               ^";
    assert_eq!(error.to_string(), told);
}

#[test]
fn stars_stand_for_any_text() {
    let table = [
        ("", "", true),
        ("*", "", true),
        ("a*", "abc", true),
        ("*c", "abc", true),
        ("a*b*c", "a-b-c", true),
        ("a*a", "a", false),
        ("**", "x", true),
        ("a*b", "ab", true),
        ("a*b", "abx", false),
    ];
    for (pattern, text, wanted) in table {
        assert_eq!(glob(pattern, text), wanted, "{pattern} {text}");
    }
}
