//! What every transport has to do alike, on each of them, and on some that do not.

use std::sync::Arc;

use bus_runtime::conformance::{self, Bench};
use bus_runtime::{EmbeddedBroker, transport_conformance};
use bus_tests::code;

#[path = "conformance/flawed.rs"]
mod flawed;

use flawed::{Flaw, Flawed};

transport_conformance!(embedded, async { Bench::new(Arc::new(EmbeddedBroker::new()), "t.") });

#[cfg(unix)]
transport_conformance!(rabbitmq, async {
    let broker = bus_tests::node::shared().await?;
    Some(Bench::new(broker.connect().await, broker.prefix()))
});

// A flaw is found by the behaviours that speak of it, and by no others.

transport_conformance!(hash_needs_a_word, Flawed::bench(Flaw::HashNeedsAWord), except {
    routing::t1_topic_matrix: "`wiki.#` does not take `wiki`",
    routing::t4_every_pattern: "`#` does not take the empty key",
    routing::t4_random_patterns: "`#` does not take the empty key",
});

transport_conformance!(acks_are_lost, Flawed::bench(Flaw::AcksAreLost), except {
    consuming::cancel: "what was acknowledged comes back",
    consuming::close_flushes_settlements: "what was acknowledged comes back",
    consuming::close_returns_messages: "what was acknowledged comes back",
    consuming::order: "the prefetch is used up for ever",
    consuming::prefetch: "the prefetch is used up for ever",
    consuming::settle_after_close: "the verdict seems to be taken",
    limits::requeue_to_full_queue: "the prefetch is used up for ever",
    limits::unsettled_do_not_count: "the prefetch is used up for ever",
});

#[test]
fn every_behaviour_is_in_the_list() {
    let list = code::read("bus-runtime/src/conformance/list.rs");
    let listed: Vec<_> = list.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
    let files = code::files("bus-runtime/src/conformance/");
    let behaviours: Vec<_> = files.iter().flat_map(|path| behaviours(&code::read(path))).collect();
    assert!(behaviours.len() > 90, "{}", behaviours.len());
    let missing: Vec<_> = behaviours.iter().filter(|name| !listed.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "no transport is asked for {missing:?}");
}

/// The names of the functions over a bench.
fn behaviours(text: &str) -> Vec<String> {
    let functions = text.lines().filter_map(|line| line.strip_prefix("pub async fn "));
    functions.filter_map(|line| line.strip_suffix("(bench: &Bench) {")).map(str::to_owned).collect()
}

#[test]
fn what_does_not_hold_is_named() {
    let connect = async || Some(Flawed::bench(Flaw::None).await);
    let said = |exceptions: &'static [(&str, &str)], ready: u64| {
        let judged = std::panic::catch_unwind(|| {
            conformance::judge("routing::unbind", exceptions, connect, async |bench: &Bench| {
                let queue = bench.classic("q", |_| {}).await;
                assert!(bench.ready(&queue).await == Some(ready), "the queue is empty");
            });
        });
        judged.err().map(|panic| panic.downcast_ref::<String>().expect("a text").clone())
    };
    assert_eq!(said(&[], 0), None);
    let on = "embedded (embedded:, Bus embedded broker 0.1.0)";
    assert_eq!(
        said(&[], 1).expect("it does not hold"),
        format!(
            "`routing::unbind` does not hold on {on}: the queue is empty\n\
             what has to hold stands at `bus_runtime::conformance::routing::unbind`"
        )
    );
    assert_eq!(said(&[("routing::unbind", "too hard")], 1), None);
    assert_eq!(
        said(&[("routing::unbind", "too hard")], 0).expect("it holds"),
        format!(
            "`routing::unbind` holds on {on}, and stands after `except` all the same (too hard): take it out there"
        )
    );
}
