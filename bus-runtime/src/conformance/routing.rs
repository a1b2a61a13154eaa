//! Which queues a message reaches.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::topology::{
    Binding, Destination, Exchange, ExchangeKind, Queue, QueueArguments, QueueType, Topology,
};
use crate::transport::{Confirmation, Verdict};
use crate::{BindingKey, Envelope, ExchangeName, HeaderValue};
use futures_util::future::join_all;

use super::Bench;
use super::bench::{message, text};
use crate::seam;

/// Publishes every key and returns, for each pattern, the keys that reached its queue.
///
/// What arrives in the queue of a pattern expires at once and dies into one queue for all, so that thousands of deliveries need
/// one consumer. At the end each queue gets one message through a fanout exchange: what a queue sends on stays in order, so
/// nothing is under way any more when it has come through.
async fn reached(bench: &Bench, patterns: &[String], keys: &[String]) -> Vec<BTreeSet<String>> {
    let all = bench.classic("all", |_| {}).await;
    let exchange =
        |name: &str, kind| Exchange { kind, durable: false, ..Exchange::topic(bench.exchange_name(name)) };
    let exchanges = vec![exchange("topic", ExchangeKind::Topic), exchange("end", ExchangeKind::Fanout)];
    let (topic, end) = (exchanges[0].name.clone(), exchanges[1].name.clone());
    let mut topology = Topology { exchanges, ..Topology::default() };
    for (number, pattern) in patterns.iter().enumerate() {
        let mut queue = Queue::durable(bench.queue_name(&format!("pattern-{number}")), QueueType::Classic);
        queue.durable = false;
        queue.arguments.message_ttl = Some(Duration::ZERO);
        queue.arguments.dead_letter_exchange = Some(ExchangeName::default_exchange());
        queue.arguments.dead_letter_routing_key = Some(all.to_string());
        let binding = |exchange: &ExchangeName, key: &str| Binding {
            exchange: exchange.clone(),
            destination: Destination::Queue(queue.name.clone()),
            key: BindingKey::parse(key).expect("a short key"),
        };
        topology.bindings.extend([binding(&topic, pattern), binding(&end, "")]);
        topology.queues.push(queue);
    }
    let numbers: BTreeMap<String, usize> =
        topology.queues.iter().enumerate().map(|(number, queue)| (queue.name.to_string(), number)).collect();
    bench.try_declare(topology).await.expect("everything is declared");

    let published = keys.iter().map(|key| bench.try_publish(message(&topic, key, key)));
    for (key, confirmation) in keys.iter().zip(join_all(published).await) {
        let wanted = patterns.iter().any(|pattern| BindingKey::parse(pattern).expect("short").matches(key));
        let expected = if wanted { Confirmation::Routed } else { Confirmation::Unroutable };
        assert_eq!(confirmation.expect("the message is confirmed"), expected, "{key:?}");
    }
    assert_eq!(bench.publish(&end, "end", "").await, Confirmation::Routed);

    let mut reader = bench.consume(&all, 0).await;
    let mut reached = vec![BTreeSet::new(); patterns.len()];
    let mut ended = 0;
    while ended < patterns.len() {
        let incoming = reader.next().await;
        let envelope = &incoming.envelope;
        let queue = envelope.headers.text("x-first-death-queue").expect("it died in a queue");
        if envelope.headers.text("x-first-death-exchange") == Some(end.as_str()) {
            ended += 1;
        } else {
            let first = reached[numbers[queue]].insert(text(envelope));
            assert!(first, "{:?} arrives twice in {queue}", text(envelope));
        }
        incoming.settler.settle(Verdict::Ack).expect("the channel is there");
    }
    reader.close().await;
    reached
}

/// What reaches each pattern is what our own matcher says.
async fn compare_with_our_matcher(bench: &Bench, patterns: &[String], keys: &[String]) {
    let reached = reached(bench, patterns, keys).await;
    for (pattern, reached) in patterns.iter().zip(&reached) {
        let matcher = BindingKey::parse(pattern).expect("short");
        for key in keys {
            assert_eq!(reached.contains(key), matcher.matches(key), "{pattern:?} ~ {key:?}");
        }
    }
}

/// All texts of up to so many of these words.
fn texts_of(words: &[&str], most: usize) -> Vec<String> {
    let mut all: BTreeSet<String> = BTreeSet::from([String::new()]);
    let mut longest: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    for _ in 0..most {
        all.extend(longest.iter().cloned());
        longest =
            longest.iter().flat_map(|text| words.iter().map(move |word| format!("{text}.{word}"))).collect();
    }
    all.into_iter().collect()
}

/// T1: the rules of topic patterns, one by one.
pub async fn t1_topic_matrix(bench: &Bench) {
    let table = [
        ("wiki.#", "wiki", true),
        ("wiki.#", "wiki.a", true),
        ("wiki.#", "wiki.a.b", true),
        ("wiki.#", "wikis", false),
        ("#", "", true),
        ("#", "a.b", true),
        ("*", "a-b", true),
        ("*", "a.b", false),
        ("*", "", false),
        ("wiki.*", "wiki.", true),
        ("wiki.*", "wiki", false),
        ("a.*.c", "a.b.c", true),
        ("#.c", "c", true),
        ("a.#.b", "a.b", true),
        ("a.#.b", "a.x.y.b", true),
        ("*.#", "a", true),
        ("*.#", "", false),
        ("user", "user.created", false),
        ("Wiki.a", "wiki.a", false),
        ("wiki", "x.wiki", false),
        ("", "", true),
        ("", "a", false),
        ("..", "..", true),
        ("*.*", ".", true),
        ("grüße.*", "grüße.日本", true),
        ("page*", "page1", false),
        ("page*", "page*", true),
    ];
    let patterns: Vec<_> = table.iter().map(|(pattern, ..)| (*pattern).to_owned()).collect();
    let keys: BTreeSet<_> = table.iter().map(|(_, key, _)| (*key).to_owned()).collect();
    let keys: Vec<_> = keys.into_iter().collect();
    let reached = reached(bench, &patterns, &keys).await;
    for ((pattern, key, expected), reached) in table.iter().zip(&reached) {
        assert_eq!(reached.contains(*key), *expected, "{pattern:?} ~ {key:?}");
    }
}

/// T4: random patterns and keys do what our own matcher says.
pub async fn t4_random_patterns(bench: &Bench) {
    // RabbitMQ needs exponential time for more than a few `#`.
    let few_hashes = |text: &String| text.split('.').filter(|word| *word == "#").count() <= 2;
    let patterns: BTreeSet<_> = (0..80).map(|_| any_text()).filter(few_hashes).collect();
    let keys: BTreeSet<_> = (0..200).map(|_| any_text()).collect();
    compare_with_our_matcher(bench, &Vec::from_iter(patterns), &Vec::from_iter(keys)).await;
}

/// Up to five words.
fn any_text() -> String {
    let word = |_| ["a", "b", "", "ab", "*", "#", "é"][seam::random_below(7) as usize];
    (0..seam::random_below(6)).map(word).collect::<Vec<_>>().join(".")
}

/// T4: every pattern of up to four words does to every key of up to four words what our own matcher says.
pub async fn t4_every_pattern(bench: &Bench) {
    let patterns = texts_of(&["a", "b", "*", "#"], 4);
    let keys = texts_of(&["a", "b", ""], 4);
    assert_eq!((patterns.len(), keys.len()), (341, 120));
    compare_with_our_matcher(bench, &patterns, &keys).await;
}

/// T2: two bindings of one queue that both match deliver one message once.
pub async fn t2_two_bindings_one_delivery(bench: &Bench) {
    let topic = bench.exchange("topic", ExchangeKind::Topic).await;
    let queue = bench.classic("q", |_| {}).await;
    bench.bind(&topic, &queue, "wiki.#").await;
    bench.bind(&topic, &queue, "#.saved").await;
    assert_eq!(bench.publish(&topic, "wiki.saved", "once").await, Confirmation::Routed);
    assert_eq!(bench.drain_texts(&queue).await, ["once"]);
}

/// T3: wildcards in a routing key are plain text.
pub async fn t3_wildcards_in_routing_keys(bench: &Bench) {
    let topic = bench.exchange("topic", ExchangeKind::Topic).await;
    let queue = bench.classic("q", |_| {}).await;
    bench.bind(&topic, &queue, "user").await;
    bench.bind(&topic, &queue, "wiki.*").await;
    for key in ["user.#", "#", "*", "user.*"] {
        assert_eq!(bench.publish(&topic, key, key).await, Confirmation::Unroutable, "{key}");
    }
    for key in ["wiki.#", "wiki.*"] {
        assert_eq!(bench.publish(&topic, key, key).await, Confirmation::Routed, "{key}");
    }
    assert_eq!(bench.drain_texts(&queue).await, ["wiki.#", "wiki.*"]);
}

/// Direct exchanges compare the whole key, fanout exchanges none.
pub async fn direct_and_fanout(bench: &Bench) {
    let direct = bench.exchange("direct", ExchangeKind::Direct).await;
    let fanout = bench.exchange("fanout", ExchangeKind::Fanout).await;
    let queue = bench.classic("q", |_| {}).await;
    bench.bind(&direct, &queue, "a.*").await;
    bench.bind(&fanout, &queue, "ignored").await;
    assert_eq!(bench.publish(&direct, "a.*", "exact").await, Confirmation::Routed);
    assert_eq!(bench.publish(&direct, "a.b", "other").await, Confirmation::Unroutable);
    assert_eq!(bench.publish(&fanout, "anything", "all").await, Confirmation::Routed);
    assert_eq!(bench.drain_texts(&queue).await, ["exact", "all"]);
}

/// The default exchange hands a message to the queue that the key names.
pub async fn default_exchange(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    let default = ExchangeName::default_exchange();
    assert_eq!(bench.publish(&default, &queue, "here").await, Confirmation::Routed);
    assert_eq!(bench.publish(&default, &format!("{queue}.not"), "nowhere").await, Confirmation::Unroutable);
    let got = bench.drain(&queue).await;
    assert_eq!((got.len(), got[0].exchange.as_str(), got[0].routing_key.as_str()), (1, "", queue.as_str()));
}

/// Exchanges bound to exchanges: a cycle is harmless, each queue gets one copy, and the message names the first exchange.
pub async fn exchange_to_exchange(bench: &Bench) {
    let first = bench.exchange("first", ExchangeKind::Topic).await;
    let second = bench.exchange("second", ExchangeKind::Topic).await;
    let queue = bench.classic("q", |_| {}).await;
    bench.bind_to(&first, Destination::Exchange(second.clone()), "wiki.#").await;
    bench.bind_to(&second, Destination::Exchange(first.clone()), "#").await;
    bench.bind(&first, &queue, "#").await;
    bench.bind(&second, &queue, "#.saved").await;
    assert_eq!(bench.publish(&first, "wiki.saved", "one").await, Confirmation::Routed);
    let got = bench.drain(&queue).await;
    assert_eq!((got.len(), got[0].exchange.as_str()), (1, first.as_str()));
}

/// A removed binding routes no more; removing one that is not there is fine.
pub async fn unbind(bench: &Bench) {
    let topic = bench.exchange("topic", ExchangeKind::Topic).await;
    let queue = bench.classic("q", |_| {}).await;
    let gone = bench.bind(&topic, &queue, "wiki.*").await;
    bench.bind(&topic, &queue, "blog.*").await;
    for _ in 0..2 {
        bench.transport().unbind(&gone).await.expect("the binding is removed");
    }
    assert_eq!(bench.publish(&topic, "wiki.a", "no").await, Confirmation::Unroutable);
    assert_eq!(bench.publish(&topic, "blog.a", "yes").await, Confirmation::Routed);
}

/// A message with the headers `CC` and `BCC`.
fn copied(exchange: &ExchangeName, key: &str, cc: &[&str], bcc: &[&str]) -> Envelope {
    let mut envelope = message(exchange, key, key);
    for (name, keys) in [("CC", cc), ("BCC", bcc)] {
        if !keys.is_empty() {
            let keys: Vec<_> = keys.iter().map(|key| HeaderValue::from((*key).to_owned())).collect();
            envelope.headers.set(name, keys);
        }
    }
    envelope
}

/// More routing keys: each queue gets one copy, and nobody sees `BCC`.
pub async fn more_routing_keys(bench: &Bench) {
    let topic = bench.exchange("topic", ExchangeKind::Topic).await;
    let mut queues = Vec::new();
    for pattern in ["a", "b", "c.*", "#.last"] {
        let queue = bench.classic(&format!("q-{}", queues.len()), |_| {}).await;
        bench.bind(&topic, &queue, pattern).await;
        queues.push(queue);
    }
    // The first queue by its own key and by another one.
    bench.bind(&topic, &queues[0], "c.d").await;
    let sent = bench.try_publish(copied(&topic, "a", &["b", "a"], &["c.d", "nobody"])).await;
    assert_eq!(sent.expect("it is confirmed"), Confirmation::Routed);
    let sent = bench.try_publish(copied(&topic, "nobody", &[], &["x.last"])).await;
    assert_eq!(sent.expect("it is confirmed"), Confirmation::Routed, "by the other key alone");
    let sent = bench.try_publish(copied(&topic, "nobody", &["nobody else"], &[])).await;
    assert_eq!(sent.expect("it is confirmed"), Confirmation::Unroutable);
    let mut all = Vec::new();
    for queue in &queues {
        let taken = bench.drain(queue).await;
        assert_eq!(taken.len(), 1, "{queue}");
        all.extend(taken);
    }
    for envelope in &all[..3] {
        assert_eq!(&*envelope.routing_key, "a");
        let cc = vec![HeaderValue::from("b".to_owned()), HeaderValue::from("a".to_owned())];
        assert_eq!(envelope.headers.get("CC"), Some(&HeaderValue::List(cc)));
        assert_eq!(envelope.headers.get("BCC"), None);
    }
    assert_eq!(&*all[3].routing_key, "nobody");
    // By name, through the default exchange.
    let default = ExchangeName::default_exchange();
    let sent = bench.try_publish(copied(&default, &queues[0], &[], &[&queues[1], &queues[0]])).await;
    assert_eq!(sent.expect("it is confirmed"), Confirmation::Routed);
    for queue in &queues[..2] {
        assert_eq!(bench.drain(queue).await.len(), 1, "{queue}");
    }
    let mut wrong = message(&topic, "a", "");
    wrong.headers.set("CC", "b");
    bench.try_publish(wrong).await.expect_err("a list is wanted");
    let mut numbers = message(&topic, "a", "numbers");
    numbers.headers.set("CC", vec![HeaderValue::Int(1), HeaderValue::from("b".to_owned())]);
    let sent = bench.try_publish(numbers).await;
    assert_eq!(sent.expect("what is no text does not count"), Confirmation::Routed);
    assert_eq!(bench.drain_texts(&queues[1]).await, ["numbers"]);
}

/// A dead letter keeps its other keys, unless its queue has a key for dead letters.
pub async fn more_keys_are_dead_too(bench: &Bench) {
    let topic = bench.exchange("topic", ExchangeKind::Topic).await;
    let letters = bench.exchange("letters", ExchangeKind::Topic).await;
    let to_letters = |arguments: &mut QueueArguments| {
        arguments.dead_letter_exchange = Some(letters.clone());
        arguments.message_ttl = Some(Duration::ZERO);
    };
    let plain = bench.classic("plain", to_letters).await;
    let keyed = bench
        .classic("keyed", |arguments| {
            to_letters(arguments);
            arguments.dead_letter_routing_key = Some("own".to_owned());
        })
        .await;
    let [by_key, by_copy, by_own] = ["a", "b", "own"];
    let mut found = Vec::new();
    for key in [by_key, by_copy, by_own] {
        let queue = bench.classic(&format!("dead-{key}"), |_| {}).await;
        bench.bind(&letters, &queue, key).await;
        found.push(queue);
    }
    bench.bind(&topic, &plain, "a").await;
    let sent = bench.try_publish(copied(&topic, "a", &["b"], &[])).await;
    assert_eq!(sent.expect("it is confirmed"), Confirmation::Routed);
    bench.wait_for_ready(&found[1], 1).await;
    for queue in &found[..2] {
        bench.wait_for_ready(queue, 1).await;
        let letter = bench.drain(queue).await.remove(0);
        let Some(HeaderValue::List(deaths)) = letter.headers.get("x-death") else { panic!("no death") };
        let HeaderValue::Table(death) = &deaths[0] else { panic!("no table") };
        let keys = vec![HeaderValue::from("a".to_owned()), HeaderValue::from("b".to_owned())];
        assert_eq!(death.get("routing-keys"), Some(&HeaderValue::List(keys)));
        assert!(letter.headers.get("CC").is_some());
    }
    let default = ExchangeName::default_exchange();
    let sent = bench.try_publish(copied(&default, &keyed, &["nobody"], &[])).await;
    assert_eq!(sent.expect("it is confirmed"), Confirmation::Routed);
    bench.wait_for_ready(&found[2], 1).await;
    assert_eq!(bench.drain(&found[2]).await[0].headers.get("CC"), None);
    assert_eq!(bench.ready(&found[1]).await, Some(0));
}
