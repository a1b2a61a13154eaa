//! Export and import are each other's opposite, and mistakes are told.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,12}"
}

fn short() -> impl Strategy<Value = Option<Text>> {
    option::of(text().prop_map(Text::Owned))
}

fn time() -> impl Strategy<Value = SystemTime> {
    let seconds = prop_oneof![0..RFC3339_MAX + 1, Just(0), RFC3339_MAX..RFC3339_MAX * 2];
    let since = (seconds, prop_oneof![Just(0_u32), 0..1_000_000_000_u32]);
    since.prop_map(|(seconds, nanos)| {
        let nanos = if seconds > RFC3339_MAX { 0 } else { nanos };
        SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos)
    })
}

fn value() -> impl Strategy<Value = HeaderValue> {
    let leaf = prop_oneof![
        Just(HeaderValue::Null),
        any::<bool>().prop_map(HeaderValue::Bool),
        any::<i64>().prop_map(HeaderValue::Int),
        any::<f64>().prop_filter("NaN is not itself", |float| !float.is_nan()).prop_map(HeaderValue::Float),
        text().prop_map(|text| HeaderValue::Text(Text::Owned(text))),
        vec(any::<u8>(), 0..20).prop_map(|bytes| HeaderValue::Bytes(bytes.into())),
        time().prop_map(HeaderValue::Time),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(HeaderValue::List),
            btree_map(text(), inner, 0..4).prop_map(|table| HeaderValue::Table(table.into_iter().collect())),
        ]
    })
}

prop_compose! {
    fn properties()(
        texts in [short(), short(), short(), short(), short(), short(), short(), short()],
        persistent in any::<bool>(),
        priority in option::of(any::<u8>()),
        expiration in option::of(0..u64::from(u32::MAX)),
        timestamp in option::of(time()),
    ) -> Properties {
        let [content_type, content_encoding, correlation_id, reply_to, message_id, message_type, user_id, app_id] = texts;
        Properties {
            content_type, content_encoding, persistent, priority, correlation_id, reply_to,
            expiration: expiration.map(Duration::from_millis),
            message_id, timestamp, message_type, user_id, app_id,
        }
    }
}

prop_compose! {
    fn records()(
        properties in properties(),
        headers in btree_map(text(), value(), 0..6),
        key in text(),
        body in prop_oneof![text().prop_map(String::into_bytes), vec(any::<u8>(), 0..64)],
    ) -> Record {
        let mut envelope =
            Envelope::new(ExchangeName::new("react").unwrap(), RoutingKey::new(key).unwrap(), body);
        envelope.properties = properties;
        envelope.headers = headers.into_iter().collect();
        Record { queue: QueueName::new("app.wiki.dead").unwrap(), envelope }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(record in records()) {
        let line = record.to_line();
        prop_assert!(!line.contains('\n'));
        prop_assert_eq!(Record::parse(&line), Ok(record));
    }

    #[test]
    fn nothing_that_is_read_panics(line in "\\PC{0,80}") {
        let _ = Record::parse(&line);
    }
}

#[test]
fn mistakes_are_told() {
    let table = [
        ("{", "is not JSON: EOF while parsing an object at line 1 column 1"),
        ("[]", "is no JSON object"),
        ("{}", "has no schema; expected \"schema\":\"bus.dead-letter/1\""),
        (r#"{"schema":"other/1"}"#, "has the schema \"other/1\", not \"bus.dead-letter/1\""),
        (r#"{"schema":"bus.dead-letter/1"}"#, "has no `queue`"),
        (r#"{"schema":"bus.dead-letter/1","queue":7}"#, "`queue` is no text"),
    ];
    for (line, wanted) in table {
        assert_eq!(Record::parse(line).unwrap_err().to_string(), wanted);
    }
    let parts = [
        ("", "has neither `body` nor `body_base64`"),
        (r#","body":"","body_base64":"""#, "has both `body` and `body_base64`"),
        (r#","body_base64":"x""#, "`body_base64` is no base64"),
        (r#","body":"","colour":1"#, "has an unknown field `colour`"),
        (r#","body":"","properties":{"colour":1}"#, "has an unknown property `colour`"),
        (r#","body":"","properties":{"priority":300}"#, "`properties.priority` is 300, which it cannot be"),
        (r#","body":"","headers":{"a":1.5}"#, "`headers.a` is 1.5, which is no whole number"),
        (r#","body":"","headers":{"a":{"b":1,"c":2}}"#, "`headers.a` must have one key that names its type"),
        (
            r#","body":"","headers":{"a":{"date":1}}"#,
            "`headers.a` has a value of type `date` that cannot be read",
        ),
    ];
    for (part, wanted) in parts {
        let line = format!(
            r#"{{"schema":"bus.dead-letter/1","queue":"q.dead","exchange":"","routing_key":"q.dead"{part}}}"#
        );
        assert_eq!(Record::parse(&line).unwrap_err().to_string(), wanted, "{part}");
    }
}
