//! Confirms, and what a message looks like when it arrives.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::topology::ExchangeKind;
use crate::transport::Confirmation;
use crate::{Envelope, ErrorKind, ExchangeName, HeaderValue, Headers, Properties, QueueName, RoutingKey};
use bytes::Bytes;
use futures_util::future::join_all;

use super::Bench;
use super::bench::{message, to_queue};

/// Sends one message through a queue.
async fn through(bench: &Bench, queue: &QueueName, envelope: Envelope) -> Arc<Envelope> {
    let confirmation = bench.try_publish(envelope).await.expect("the message is confirmed");
    assert_eq!(confirmation, Confirmation::Routed);
    let mut got = bench.drain(queue).await;
    assert_eq!(got.len(), 1);
    got.remove(0)
}

/// Confirms say whether a queue has the message, also when many are under way.
pub async fn confirms_of_many(bench: &Bench) {
    let topic = bench.exchange("topic", ExchangeKind::Topic).await;
    let queue = bench.classic("q", |_| {}).await;
    bench.bind(&topic, &queue, "yes.#").await;
    let routed = |number: usize| !number.is_multiple_of(3);
    let key = |number| if routed(number) { format!("yes.{number}") } else { "no".to_owned() };
    let published =
        (0..300).map(|number| bench.try_publish(message(&topic, &key(number), &number.to_string())));
    for (number, confirmation) in join_all(published).await.into_iter().enumerate() {
        let expected = if routed(number) { Confirmation::Routed } else { Confirmation::Unroutable };
        assert_eq!(confirmation.expect("the message is confirmed"), expected, "{number}");
    }
    let expected: Vec<_> =
        (0..300).filter(|number| routed(*number)).map(|number| number.to_string()).collect();
    assert_eq!(bench.drain_texts(&queue).await, expected, "the order of the calls is kept");
}

/// A publish to an exchange that does not exist fails; others that are under way do not.
pub async fn missing_exchange(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    let missing = bench.exchange_name("missing");
    let wrong = |number: usize| number % 10 == 5;
    let envelope = |number: usize| match wrong(number) {
        true => message(&missing, "key", "lost"),
        false => to_queue(&queue, &number.to_string()),
    };
    let published = (0..40).map(|number| bench.try_publish(envelope(number)));
    for (number, result) in join_all(published).await.into_iter().enumerate() {
        match result {
            Ok(confirmation) => {
                assert!(!wrong(number), "{number} must fail");
                assert_eq!(confirmation, Confirmation::Routed, "{number}");
            }
            Err(error) => {
                assert!(wrong(number), "{number}: {error}");
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                assert!(error.to_string().contains(missing.as_str()), "{error}");
            }
        }
    }
    // What was under way when the channel ended may be there twice.
    let mut got: Vec<u32> =
        bench.drain_texts(&queue).await.iter().map(|text| text.parse().expect("a number")).collect();
    got.sort_unstable();
    got.dedup();
    assert_eq!(got, (0..40).filter(|number| !wrong(*number as usize)).collect::<Vec<_>>());
}

/// Bodies are bytes of any kind and length.
pub async fn bodies(bench: &Bench) {
    for queue in [bench.classic("classic", |_| {}).await, bench.quorum("quorum", |_| {}).await] {
        let all: Vec<u8> = (0..=255).collect();
        let large: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        for body in [Vec::new(), vec![0], all, large] {
            let mut envelope = to_queue(&queue, "");
            envelope.body = Bytes::from(body);
            assert_eq!(through(bench, &queue, envelope.clone()).await.body, envelope.body);
        }
    }
}

/// Routing keys are UTF-8 of up to 255 bytes, with anything in it.
pub async fn keys(bench: &Bench) {
    let fanout = bench.exchange("fanout", ExchangeKind::Fanout).await;
    let queue = bench.classic("q", |_| {}).await;
    bench.bind(&fanout, &queue, "").await;
    let long = "k".repeat(255);
    for key in ["", "a..b", "with space", "nul\0key", "line\nend", "grüße.日本.🦀", "#.*", long.as_str()]
    {
        let got = through(bench, &queue, message(&fanout, key, "")).await;
        assert_eq!((got.routing_key.as_str(), &got.exchange), (key, &fanout));
    }
}

/// Every kind of header value arrives as it was.
pub async fn headers(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let inner: Headers =
        [("deep", HeaderValue::List(vec![HeaderValue::Int(1), "two".into(), HeaderValue::Null]))]
            .into_iter()
            .collect();
    let headers: Headers = [
        ("null", HeaderValue::Null),
        ("yes", true.into()),
        ("min", i64::MIN.into()),
        ("max", i64::MAX.into()),
        ("float", (-2.5).into()),
        ("text", "grüße \0".into()),
        ("empty", "".into()),
        ("bytes", Bytes::from_static(&[0, 255, 128]).into()),
        ("text as bytes", Bytes::from_static(b"plain").into()),
        ("time", time.into()),
        ("list", HeaderValue::List(Vec::new())),
        ("table", inner.into()),
    ]
    .into_iter()
    .chain([("n".repeat(255).leak() as &str, HeaderValue::Int(0))])
    .collect();
    let envelope = Envelope { headers, ..to_queue(&queue, "x") };
    assert_eq!(through(bench, &queue, envelope.clone()).await.headers, envelope.headers);
}

/// All properties arrive as they were.
pub async fn properties(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    let full = Properties {
        content_type: Some("application/json".into()),
        content_encoding: Some("gzip".into()),
        persistent: true,
        priority: Some(7),
        correlation_id: Some("c".repeat(255).into()),
        reply_to: Some("answers".into()),
        expiration: Some(Duration::from_millis(86_400_001)),
        message_id: Some("id-1".into()),
        timestamp: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
        message_type: Some("wiki.page.saved".into()),
        user_id: None,
        app_id: Some("forge".into()),
    };
    for properties in [
        full,
        Properties::default(),
        Properties { expiration: Some(Duration::from_secs(60)), ..Properties::default() },
    ] {
        let envelope = Envelope { properties, ..to_queue(&queue, "x") };
        assert_eq!(*through(bench, &queue, envelope.clone()).await, envelope);
    }
}

/// What can never arrive is refused before it is sent, and costs nothing else.
pub async fn refused_before_sending(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    let plain = || to_queue(&queue, "x");
    let mut huge_headers = plain();
    huge_headers.headers.set("h", "x".repeat(131_072));
    let mut long_name = plain();
    long_name.headers.set("n".repeat(256), 1);
    let mut long_id = plain();
    long_id.properties.message_id = Some("i".repeat(256).into());
    let mut huge_body = plain();
    huge_body.body = Bytes::from(vec![0; 128 * 1024 * 1024 + 1]);
    let mut long_wait = plain();
    long_wait.properties.expiration = Some(Duration::from_millis(u64::from(u32::MAX) + 1));
    let table = [
        (huge_headers, ErrorKind::TooLarge),
        (long_name, ErrorKind::InvalidName),
        (long_id, ErrorKind::InvalidName),
        (huge_body, ErrorKind::TooLarge),
        (long_wait, ErrorKind::TooLarge),
    ];
    for (number, (envelope, kind)) in table.into_iter().enumerate() {
        let error = bench.try_publish(envelope).await.expect_err("it is refused");
        assert_eq!(error.kind(), kind, "{number}: {error}");
    }
    let mut large_headers = plain();
    large_headers.headers.set("h", "x".repeat(100_000));
    assert_eq!(through(bench, &queue, large_headers.clone()).await.headers, large_headers.headers);
}

/// A message to nobody is confirmed as such, whatever it is.
pub async fn unroutable(bench: &Bench) {
    let topic = bench.exchange("topic", ExchangeKind::Topic).await;
    let empty = Envelope::new(topic.clone(), RoutingKey::new("").expect("short"), Bytes::new());
    assert_eq!(bench.try_publish(empty).await.expect("it is confirmed"), Confirmation::Unroutable);
    let nowhere = message(&ExchangeName::default_exchange(), "no-such-queue", "x");
    assert_eq!(bench.try_publish(nowhere).await.expect("it is confirmed"), Confirmation::Unroutable);
}
