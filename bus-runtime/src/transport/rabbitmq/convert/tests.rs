//! What other programs send, and what RabbitMQ would refuse but other brokers may not.

use lapin::types::DecimalValue;

use super::*;

#[test]
fn foreign_kinds_of_values() {
    let table = [
        (AMQPValue::ShortShortInt(-1), HeaderValue::Int(-1)),
        (AMQPValue::ShortShortUInt(255), HeaderValue::Int(255)),
        (AMQPValue::ShortInt(-300), HeaderValue::Int(-300)),
        (AMQPValue::ShortUInt(65_535), HeaderValue::Int(65_535)),
        (AMQPValue::LongInt(i32::MIN), HeaderValue::Int(i32::MIN.into())),
        (AMQPValue::LongUInt(u32::MAX), HeaderValue::Int(u32::MAX.into())),
        (AMQPValue::Float(1.5), HeaderValue::Float(1.5)),
        (AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 275 }), HeaderValue::Float(2.75)),
        (AMQPValue::ShortString("short".into()), "short".into()),
        (AMQPValue::LongString(LongString::from(vec![0xff, 0])), Bytes::from_static(&[0xff, 0]).into()),
        (AMQPValue::Timestamp(u64::MAX), HeaderValue::Null),
    ];
    for (foreign, ours) in table {
        assert_eq!(from_value(&foreign), ours, "{foreign:?}");
    }
}

#[test]
fn our_values_survive() {
    let inner: Headers =
        [("deep", HeaderValue::List(vec![HeaderValue::Null, true.into(), 1.5.into()]))].into_iter().collect();
    let headers: Headers = [
        ("text", HeaderValue::from("grüße")),
        ("bytes", Bytes::from_static(b"plain").into()),
        ("time", (UNIX_EPOCH + Duration::from_secs(7)).into()),
        ("inner", inner.into()),
    ]
    .into_iter()
    .collect();
    assert_eq!(from_table(&to_table(&headers).unwrap()), headers);
}

#[test]
fn times_before_the_epoch_are_the_epoch() {
    let before = HeaderValue::Time(UNIX_EPOCH - Duration::from_secs(5));
    assert_eq!(to_value(&before).unwrap(), AMQPValue::Timestamp(0));
}

#[test]
fn expirations_that_are_no_numbers_are_ignored() {
    for (text, expected) in [("1500", Some(1500)), ("", None), ("abc", None), ("-1", None), ("1.5", None)] {
        let properties = BasicProperties::default().with_expiration(text.into());
        assert_eq!(from_properties(&properties).expiration, expected.map(Duration::from_millis), "{text}");
    }
}

#[test]
fn delivery_modes() {
    let persistent =
        |mode: u8| from_properties(&BasicProperties::default().with_delivery_mode(mode)).persistent;
    assert!(persistent(2) && !persistent(1) && !persistent(0) && !persistent(9));
    assert!(!from_properties(&BasicProperties::default()).persistent);
}

#[test]
fn long_names_are_refused() {
    assert!(short(&"x".repeat(255), "routing key").is_ok());
    let error = short(&"x".repeat(256), "routing key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidName);
    assert_eq!(error.to_string(), "the routing key has 256 bytes, but AMQP allows at most 255");
}
