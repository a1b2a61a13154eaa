//! What is read out of a letter, what goes back to its handler, and what is said about it.

use super::*;
use crate::dead_letters::Selection;
use crate::expression::Expression;

const NOW: Duration = Duration::from_secs(1_700_000_000);

fn dead_queue() -> QueueName {
    QueueName::new("app.wiki.react.dead").unwrap()
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + NOW
}

fn envelope(headers: Headers) -> Arc<Envelope> {
    let key = RoutingKey::new("app.wiki.react.dead").unwrap();
    let mut envelope = Envelope::new(ExchangeName::default_exchange(), key, r#"{"page":"home"}"#);
    envelope.properties.message_id = Some("m-1".into());
    envelope.headers = headers;
    Arc::new(envelope)
}

fn story() -> Headers {
    let pairs: [(&str, HeaderValue); 11] = [
        (header::REASON, "failed".into()),
        (header::QUEUE, "app.wiki.react".into()),
        (header::EXCHANGE, "react".into()),
        (header::ROUTING_KEY, "wiki.home.saved".into()),
        (header::HANDLER, "app::wiki".into()),
        (header::ERROR, "no page \"home\" (id 42)".into()),
        (header::ERROR_TYPE, "app::NoPage".into()),
        (header::ATTEMPT, 6.into()),
        (header::FIRST_FAILED_AT, "2023-11-14T20:13:20Z".into()),
        (header::LAST_FAILED_AT, "2023-11-14T21:13:20Z".into()),
        (header::WORKER, "app-7".into()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn death(reason: &'static str, exchange: &'static str, key: &'static str) -> HeaderValue {
    let table: Headers = [
        ("reason", HeaderValue::from(reason)),
        ("queue", "app.wiki.react".into()),
        ("exchange", exchange.into()),
        ("routing-keys", HeaderValue::List(vec![key.into()])),
        ("time", HeaderValue::Time(now())),
        ("count", 1.into()),
    ]
    .into_iter()
    .collect();
    HeaderValue::List(vec![HeaderValue::Table(table)])
}

fn of_worker() -> Letter {
    Letter::of(envelope(story()), &dead_queue())
}

/// A letter that the broker moved, with the headers of a story that a publisher may have forged.
fn of_broker(reason: &'static str, exchange: &'static str, key: &'static str) -> Letter {
    let mut headers = story();
    headers.remove(header::REASON);
    headers.set("x-death", death(reason, exchange, key));
    headers.set("x-first-death-queue", "app.wiki.react");
    Letter::of(envelope(headers), &dead_queue())
}

#[test]
fn a_worker_tells_everything() {
    let letter = of_worker();
    assert_eq!((letter.by, letter.reason.as_str()), (Undertaker::Worker, "failed"));
    assert_eq!((letter.queue.as_str(), letter.exchange.as_str()), ("app.wiki.react", "react"));
    assert_eq!((letter.routing_key.as_str(), letter.attempts), ("wiki.home.saved", Some(6)));
    assert_eq!(letter.age(now()), Some(Duration::from_secs(3600)));
    assert_eq!(letter.id.len(), 12);
    assert_eq!(letter.id, of_worker().id, "an id does not change");
}

#[test]
fn the_broker_tells_little_and_a_forged_story_does_not_count() {
    let letter = of_broker("expired", "react", "wiki.home.saved");
    assert_eq!((letter.by, letter.reason.as_str()), (Undertaker::Broker, "expired"));
    assert_eq!((letter.exchange.as_str(), letter.routing_key.as_str()), ("react", "wiki.home.saved"));
    assert_eq!((letter.error, letter.attempts, letter.handler), (None, None, None));
}

#[test]
fn a_retried_copy_that_the_broker_moved_keeps_its_story() {
    let letter = of_broker("delivery_limit", "", "app.wiki.react");
    assert_eq!((letter.exchange.as_str(), letter.routing_key.as_str()), ("react", "wiki.home.saved"));
    assert_eq!(letter.attempts, Some(6));
    assert_eq!(letter.last_failed_at, Some(now()));
}

#[test]
fn a_message_without_a_word_belongs_to_the_queue_by_name() {
    let letter = Letter::of(envelope(Headers::default()), &dead_queue());
    assert_eq!((letter.by, letter.queue.as_str()), (Undertaker::Unknown, "app.wiki.react"));
}

#[test]
fn what_goes_back_is_as_new() {
    for letter in [of_worker(), of_broker("expired", "react", "wiki.home.saved")] {
        let mut letter = letter;
        letter.instance = Some("docs".to_owned());
        let copy = letter.restored(None).unwrap();
        assert_eq!((copy.exchange.as_str(), copy.routing_key.as_str()), ("", "app.wiki.react"));
        assert_eq!(copy.body, letter.envelope.body);
        let headers: Vec<_> = copy.headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let wanted =
            ["bus-exchange=react", "bus-instance=docs", "bus-replays=1", "bus-routing-key=wiki.home.saved"];
        assert_eq!(headers, wanted);
    }
    let other = QueueName::new("other").unwrap();
    assert_eq!(of_worker().restored(Some(&other)).unwrap().routing_key.as_str(), "other");
}

#[test]
fn letters_that_failed_alike_are_one_group() {
    let mut headers = story();
    headers.set(header::ERROR, "no page \"about\" (id 7)");
    let alike = Letter::of(envelope(headers.clone()), &dead_queue());
    assert_eq!(alike.group(), of_worker().group());
    headers.set(header::ERROR, "no space left");
    assert_ne!(Letter::of(envelope(headers), &dead_queue()).group(), of_worker().group());
}

#[test]
fn selections() {
    let letter = of_worker();
    let matches = |set: fn(&mut Selection)| {
        let mut selection = Selection::default();
        set(&mut selection);
        selection.matches(&letter, now())
    };
    type Set = fn(&mut Selection);
    let expression = |text| Some(Expression::parse(text, &Letter::FIELDS).unwrap());
    let table: [(Set, bool); 15] = [
        (|_| {}, true),
        (|one| one.handler = Some("app::wiki".into()), true),
        (|one| one.handler = Some("app::*".into()), true),
        (|one| one.handler = Some("app".into()), false),
        (|one| one.reason = Some("failed".into()), true),
        (|one| one.reason = Some("decode".into()), false),
        (|one| one.error = Some("NO PAGE".into()), true),
        (|one| one.error = Some("timeout".into()), false),
        (|one| one.message_type = Some("page".into()), false),
        (|one| one.older = Some(Duration::from_secs(3600)), true),
        (|one| one.older = Some(Duration::from_secs(3601)), false),
        (|one| one.newer = Some(Duration::from_secs(3599)), false),
        (|one| one.ids = vec!["x".into(), "m-1".into()], true),
        (|one| one.ids = vec!["x".into()], false),
        (|one| one.group = Some("x".into()), false),
    ];
    for (at, (set, wanted)) in table.into_iter().enumerate() {
        assert_eq!(matches(set), wanted, "row {at}");
    }
    let asked = [
        (r#"error~"page" && age<2h && attempts>5"#, true),
        ("by=broker", false),
        ("body~home and key=wiki.*", true),
        ("header.bus-worker=app-7", true),
        ("size<5 or replays>0", false),
        ("instance", false),
    ];
    for (text, wanted) in asked {
        let selection = Selection { expression: expression(text), ..Selection::default() };
        assert_eq!(selection.matches(&letter, now()), wanted, "{text}");
    }
}

#[test]
fn it_is_explained_in_plain_words() {
    let told = of_worker().explain(now());
    let wanted = [
        "app::wiki failed in all 6 attempts.",
        "The error: no page \"home\" (id 42)",
        "From the first failure to the last it took 1h.",
        "That was 1h ago.",
    ];
    assert_eq!(told, wanted);
    let expired = of_broker("expired", "react", "wiki.home.saved").explain(now());
    assert!(expired[0].contains("longer than its time to live"), "{expired:?}");
    let often = of_broker("delivery_limit", "", "app.wiki.react").explain(now());
    assert!(
        often[0].contains("more than 100 times") && often[1].starts_with("The last error before"),
        "{often:?}"
    );
}
