//! What the attributes register, seen from a crate under the strictest lints and without `inventory` among its dependencies.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unused, unreachable_pub, unused_qualifications, clippy::pedantic)]

use std::time::Duration;

use bus_runtime::prelude::*;
use bus_runtime::{
    AckMode, HandlerError, HandlerRegistration, MessageType, Metadata, OnError, RetryOptions, Subject,
    Timeout, WhenFull,
};
use serde::{Deserialize, Serialize};

/// The place of the attribute of `quickstart`.
const QUICKSTART_LINE: u32 = line!() + 2;

#[react("wiki.#")]
async fn quickstart(key: RoutingKey, data: Json) {
    assert_ne!(format!("{key}: {data}"), "");
}

#[audit("scm.commit", "scm.tag")]
#[audit("hello_forge.#")]
#[react("scm.*")]
async fn stacked(data: Json<u64>) -> Result<(), String> {
    if data.0 == 0 { Err("nothing".into()) } else { Ok(()) }
}

#[react("wiki.{page}.edited", "wiki.{page}.saved")]
async fn captures(page: u64, _key: RoutingKey) -> Outcome {
    if page == 0 { reject("no page") } else { ack() }
}

#[react("image.*")]
fn plain(key: RoutingKey, Json(size): Json<u64>) -> Result<(), BoxError> {
    if key.as_str().is_empty() && size == 0 { Err("no image".into()) } else { Ok(()) }
}

#[react("name.delivery")]
async fn delivery(arguments: RoutingKey) {
    drop(arguments);
}

#[react("name.arguments")]
fn arguments(delivery: RoutingKey) {
    drop(delivery);
}

#[react("name.bus")]
async fn __bus(id: RoutingKey) {
    drop(id);
}

#[react("name.raw.{type}")]
async fn r#match(r#type: String) {
    drop(r#type);
}

#[react("gone")]
#[cfg(any())]
async fn gone_below(nothing: NoSuchType) {}

#[cfg(any())]
#[react("gone")]
async fn gone_above(nothing: NoSuchType) {}

#[react("gone")]
#[cfg_attr(all(), cfg(any()), inline)]
async fn gone_by_cfg_attr(nothing: NoSuchType) {}

#[allow(deprecated)]
#[react("#")]
async fn everything() {}

/// Made from a macro, as users do for families of handlers.
macro_rules! handlers {
    ($($name:ident $key:literal $argument:ty, $timeout:expr;)*) => {
        $(#[react($key, timeout = $timeout)] async fn $name(_argument: $argument) {})*
    };
}
handlers! {
    from_macro_1 "macro.1" RoutingKey, 10;
    from_macro_2 "macro.2" Json<Vec<u64>>, "10s";
}

/// What a crate does that re-exports the runtime under its own name.
mod facade {
    pub(super) use bus_runtime as bus;
}

#[react("facade.#", crate = crate::facade::bus)]
async fn through_facade() {}

#[derive(Serialize, Deserialize, Message)]
#[event("facade.made", crate = crate::facade::bus)]
struct ThroughFacade;

#[message_handler(ThroughFacade, crate = "crate::facade::bus")]
async fn through_facade_in_quotes(_made: ThroughFacade) {}

#[deprecated(note = "a handler may be on its way out")]
#[react("deprecated.#")]
async fn deprecated() {}

mod nested {
    use bus_runtime::prelude::*;

    #[react("nested.#")]
    pub(super) async fn handler(_headers: Headers) {}
}

#[react(
    "options.#",
    timeout = "500ms",
    retry(max = 3, initial = "1s", jitter = "10%"),
    nack_on_exception = true,
    exception_handler = report,
    auto_ack = false,
    concurrency = 1,
    priority = -5,
    when = is_small,
    max_length = 10_000,
    overflow = "drop_head",
    queue = "shared",
)]
async fn options() -> Outcome {
    ack()
}

fn report(_error: &HandlerError, _message: &Metadata) {}

fn is_small(message: &Metadata) -> bool {
    message.body_len() < 1_000
}

#[derive(Debug, Clone, Serialize, Deserialize, Message)]
#[event("user.created", version = 2, terminal, ttl = "5m", priority = 9, exchange = "users")]
struct UserCreated {
    user_id: u64,
}

#[derive(Serialize, Deserialize, Message)]
#[task("invoice.send")]
struct SendInvoice {
    order: u64,
}

#[derive(Serialize, Deserialize, Message)]
#[command("user.create", reply = Vec<u64>)]
enum CreateUser {
    Named(String),
    Guest,
}

#[message_handler(UserCreated)]
async fn welcome(user: UserCreated, _bus: Publisher) {
    assert_ne!(user.user_id, 0);
}

#[message_handler(SendInvoice, ack = "manual")]
async fn send(message: MessageOf<SendInvoice>) -> Outcome {
    if message.payload().order == 0 { reject("no order") } else { ack() }
}

#[message_handler(CreateUser)]
async fn create(command: CreateUser) -> Result<Vec<u64>, std::io::Error> {
    match command {
        CreateUser::Named(name) => Ok(vec![name.len() as u64]),
        CreateUser::Guest => Ok(Vec::new()),
    }
}

#[message_handler(UserCreated)]
#[message_handler(SendInvoice)]
async fn both(_key: RoutingKey) {}

/// The registrations of a handler of this file, in the order of their attributes.
fn registrations(name: &str) -> Vec<&'static HandlerRegistration> {
    let mut found: Vec<_> =
        HandlerRegistration::linked().filter(|registration| registration.id().name == name).collect();
    found.sort_by_key(|registration| registration.place().line);
    found
}

fn subjects(name: &str) -> Vec<(&'static str, Vec<&'static str>)> {
    let subject = |registration: &&HandlerRegistration| match registration.subject() {
        Subject::Audit(keys) => ("audit", keys.to_vec()),
        Subject::React(keys) => ("react", keys.to_vec()),
        Subject::Message(message) => (message.kind.as_str(), vec![message.topic]),
        _ => ("unknown", Vec::new()),
    };
    registrations(name).iter().map(subject).collect()
}

#[test]
fn a_handler_is_registered_under_its_path_and_place() {
    let [registration] = registrations("quickstart")[..] else { panic!("registered once") };
    assert_eq!(registration.id().module, module_path!());
    let place = registration.place();
    assert_eq!((place.file, place.line, place.column), (file!(), QUICKSTART_LINE, 1));
    assert_eq!(subjects("quickstart"), [("react", vec!["wiki.#"])]);
    assert_eq!(registrations("handler")[0].id().module, concat!(module_path!(), "::nested"));
}

#[test]
fn d3_each_attribute_is_one_registration() {
    let expected = [
        ("audit", vec!["scm.commit", "scm.tag"]),
        ("audit", vec!["hello_forge.#"]),
        ("react", vec!["scm.*"]),
    ];
    assert_eq!(subjects("stacked"), expected);
    let lines: Vec<_> =
        registrations("stacked").iter().map(|registration| registration.place().line).collect();
    assert_eq!([lines[1] - lines[0], lines[2] - lines[0]], [1, 2], "each at its own attribute");
    assert_eq!(subjects("both"), [("event", vec!["user.created"]), ("task", vec!["invoice.send"])]);
}

#[test]
fn captures_stay_in_the_key() {
    assert_eq!(subjects("captures"), [("react", vec!["wiki.{page}.edited", "wiki.{page}.saved"])]);
}

#[test]
fn any_name_will_do() {
    for name in [
        "deprecated",
        "through_facade",
        "through_facade_in_quotes",
        "delivery",
        "arguments",
        "__bus",
        "match",
        "plain",
        "everything",
        "from_macro_1",
        "from_macro_2",
    ] {
        assert_eq!(registrations(name).len(), 1, "{name}");
    }
}

#[test]
fn what_is_not_compiled_is_not_registered() {
    for name in ["gone_below", "gone_above", "gone_by_cfg_attr"] {
        assert!(registrations(name).is_empty(), "{name}");
    }
}

#[test]
fn options_arrive() {
    let options = registrations("options")[0].options();
    assert_eq!(options.timeout, Some(Timeout::After(Duration::from_millis(500))));
    let retry = RetryOptions {
        max: Some(3),
        initial: Some(Duration::from_secs(1)),
        jitter: Some(0.1),
        ..RetryOptions::default()
    };
    assert_eq!(options.retry, Some(retry));
    assert_eq!(options.on_error, Some(OnError::Retry));
    assert_eq!(options.ack, Some(AckMode::Manual));
    assert_eq!((options.concurrency, options.prefetch), (Some(1), None));
    assert_eq!((options.priority, options.queue), (Some(-5), Some("shared")));
    assert_eq!((options.max_length, options.overflow), (Some(10_000), Some(WhenFull::DropOldest)));
    assert!(options.error_hook.is_some() && options.when.is_some() && !options.fanout_each);
}

#[test]
fn a_derived_message_says_what_its_attribute_says() {
    let event = MessageType::of::<UserCreated>();
    assert_eq!((event.topic, event.kind.as_str(), event.version), ("user.created", "event", 2));
    assert_eq!((event.terminal, event.exchange, event.priority), (true, Some("users"), Some(9)));
    assert_eq!(event.ttl, Some(Duration::from_secs(300)));
    let task = MessageType::of::<SendInvoice>();
    assert_eq!((task.kind.as_str(), task.version, task.terminal, task.ttl), ("task", 1, false, None));
    assert_eq!(subjects("create"), [("command", vec!["user.create"])]);
}

#[test]
fn d5_a_handler_is_still_a_function() {
    assert_eq!(
        plain(RoutingKey::new("image.1").unwrap(), Json(7)).map_err(|error| error.to_string()),
        Ok(())
    );
    arguments(RoutingKey::new("x").unwrap());
}
