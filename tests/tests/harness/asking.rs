//! Questions about what happened.

use std::sync::atomic::{AtomicUsize, Ordering};

use bus_runtime::prelude::*;
use bus_runtime::testing::Ending;
use serde::{Deserialize, Serialize};

use crate::refused;

#[derive(Debug, PartialEq, Serialize, Deserialize, Message)]
#[event("asking.indexed", terminal)]
struct Indexed {
    page: String,
}

#[react("asking.{page}.edited", retry(max = 1, initial = "1s"))]
async fn index(page: String, bus: Publisher) -> Result<(), BoxError> {
    if page == "broken" {
        return Err("no such page".into());
    }
    bus.publish(&Indexed { page }).await?;
    Ok(())
}

/// Publishes what it is called for itself.
#[react("asking.chain.#")]
async fn chain(left: Json<u32>, bus: Publisher) -> Result<(), BoxError> {
    if left.0 > 0 {
        bus.react("asking.chain.next", &(left.0 - 1)).await?;
    }
    Ok(())
}

#[react("asking.circle")]
async fn circle(bus: Publisher) -> Result<(), BoxError> {
    bus.react("asking.circle", &()).await?;
    Ok(())
}

#[react("asking.plain")]
fn plain() {}

#[bus_runtime::test(handlers("*asking::*"))]
async fn h1_settled_sees_the_whole_cascade(bus: TestBus) {
    bus.react("asking.chain.first", &200).await;
    bus.settled().await;
    bus.handler(chain).called(201);
    bus.handler(chain).handled(201);
    assert_eq!(bus.handler(chain).calls()[200].json::<u32>(), 0);
}

#[bus_runtime::test(handlers("*asking::*"))]
async fn h1_plain_functions_are_waited_for(bus: TestBus) {
    bus.react("asking.plain", &()).await;
    bus.settled().await;
    bus.handler(plain).called_once();
}

#[bus_runtime::test(handlers("*asking::*"))]
#[should_panic(expected = "messages go in a circle")]
async fn h1_a_circle_is_no_endless_test(bus: TestBus) {
    bus.react("asking.circle", &()).await;
    bus.settled().await;
}

#[bus_runtime::test(handlers("*asking::*"))]
async fn what_was_published_and_what_a_handler_was_called_with(bus: TestBus) {
    bus.react("asking.home.edited", &()).await;
    bus.settled().await;
    let call = bus.handler(index).call();
    assert_eq!((call.routing_key().as_str(), call.attempt()), ("asking.home.edited", 1));
    assert_eq!(call.ending(), Some(&Ending::Handled));
    assert_eq!(bus.published::<Indexed>().one(), Indexed { page: "home".into() });
    assert_eq!(bus.published_to("asking.indexed").one().json::<Indexed>().page, "home");
    bus.published_to("asking.#").count(2);
    bus.published_to("elsewhere.#").none();
    bus.no_failures();
}

#[bus_runtime::test(handlers("*asking::*"))]
async fn a_dead_letter_tells_its_story(bus: TestBus) {
    bus.react("asking.broken.edited", &()).await;
    bus.advance(Duration::from_secs(2)).await;
    bus.handler(index).failed(2);
    let letter = bus.dead_letters_of(index).one();
    assert_eq!((letter.reason(), letter.error(), letter.attempts()), ("failed", "no such page", 2));
    assert!(letter.handler().ends_with("asking::index"), "{letter:?}");
    assert_eq!(letter.routing_key(), "asking.broken.edited");
    bus.dead_letters_of(chain).none();
    bus.published::<Indexed>().none();
    let told = refused(|| bus.no_failures());
    assert!(told.starts_with("1 dead letters, not 0") && told.contains("no such page"), "{told}");
}

#[bus_runtime::test(handlers("*asking::*"))]
async fn every_assertion_can_fail(bus: TestBus) {
    bus.react("asking.home.edited", &()).await;
    bus.settled().await;
    for told in [
        refused(|| bus.handler(index).not_called()),
        refused(|| bus.handler(index).called(2)),
        refused(|| bus.handler(index).handled(0)),
        refused(|| bus.handler(index).failed(1)),
        refused(|| bus.handler(index).panicked(1)),
        refused(|| bus.handler(index).timed_out(1)),
        refused(|| bus.published::<Indexed>().none()),
        refused(|| bus.published_to("asking.indexed").count(2)),
        refused(|| bus.dead_letters().count(1)),
    ] {
        // Each of them shows how it came.
        assert!(told.contains("published   react: asking.home.edited"), "{told}");
    }
    let told = refused(|| drop(bus.handler(|| ())));
    assert!(told.contains("is no handler of this app; it has"), "{told}");
}

/// How many calls of its own each of the two tests below has seen.
static SEEN: AtomicUsize = AtomicUsize::new(0);

#[bus_runtime::test(handlers("*asking::*"))]
async fn h2_one_test_sees_nothing_of_another(bus: TestBus) {
    bus.handler(index).stub(|_| {
        SEEN.fetch_add(1, Ordering::SeqCst);
    });
    let other = TestBus::start(bus_runtime::app().handlers(["*asking::*"])).await;
    other.react("asking.home.edited", &()).await;
    other.settled().await;
    bus.settled().await;
    other.handler(index).called_once();
    other.published::<Indexed>().count(1);
    bus.handler(index).not_called();
    assert_eq!(SEEN.load(Ordering::SeqCst), 0, "the stub of a test is its own");
    assert!(bus.timeline().is_empty());
}
