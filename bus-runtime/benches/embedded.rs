//! What a message costs in the embedded broker: `cargo bench --bench embedded [-- pipe|fanout|burst|memory] [messages]`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for people, that may fail")]

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Instant;

use bus_runtime::topology::{Binding, Destination, Exchange, ExchangeKind, Queue, QueueType, Topology};
use bus_runtime::transport::{Confirmation, ConsumeOptions, Consumer, Transport, Verdict};
use bus_runtime::{BindingKey, EmbeddedBroker, Envelope, ExchangeName, QueueName, RoutingKey};

/// How many queues a message of `fanout` reaches.
const FANOUT: usize = 100;

fn main() {
    // Cargo passes `--bench`.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let messages = arguments.get(1).map(|number| number.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let wanted = |name: &str| arguments.first().is_none_or(|argument| argument == name);
        if wanted("pipe") {
            pipe(messages.unwrap_or(1_000_000)).await;
        }
        if wanted("fanout") {
            fanout(messages.unwrap_or(5_000)).await;
        }
        if wanted("burst") {
            burst(messages.unwrap_or(1_000_000)).await;
        }
        if wanted("memory") {
            memory(messages.unwrap_or(1_000_000)).await;
        }
    });
}

/// One task publishes and lets another one consume and acknowledge, which goes to sleep after every message.
async fn pipe(messages: usize) {
    let broker = broker(&["q"]).await;
    let mut consumer = consume(&broker, "q", 32).await;
    let envelope = envelope("", "q");
    let started = Instant::now();
    #[expect(clippy::disallowed_methods, reason = "this is a program of its own")]
    let reader = tokio::spawn(async move {
        for _ in 0..messages {
            ack(&mut *consumer).await;
        }
    });
    for _ in 0..messages {
        publish(&broker, &envelope).await;
        tokio::task::yield_now().await;
    }
    reader.await.unwrap();
    report("pipe: publish, wake, consume, ack", messages, started);
}

/// Each message into many queues.
async fn fanout(messages: usize) {
    let names: Vec<String> = (0..FANOUT).map(|number| format!("q{number}")).collect();
    let broker = broker(&names).await;
    let envelope = envelope("all", "wiki.page.saved");
    let started = Instant::now();
    for _ in 0..messages {
        publish(&broker, &envelope).await;
    }
    report("fanout: into one of 100 queues", messages * FANOUT, started);
}

/// All messages are published, then all are consumed.
async fn burst(messages: usize) {
    let broker = broker(&["q"]).await;
    let envelope = envelope("all", "wiki.page.saved");
    let started = Instant::now();
    for _ in 0..messages {
        publish(&broker, &envelope).await;
    }
    report("burst: publish to a topic exchange", messages, started);
    let mut consumer = consume(&broker, "q", 32).await;
    let started = Instant::now();
    for _ in 0..messages {
        ack(&mut *consumer).await;
    }
    report("burst: consume, ack", messages, started);
}

/// What a queued message needs, beside its envelope.
async fn memory(messages: usize) {
    let broker = broker(&["q"]).await;
    let envelope = envelope("", "q");
    let before = resident_bytes();
    for _ in 0..messages {
        publish(&broker, &envelope).await;
    }
    println!("memory: {:>6} bytes per ready message", (resident_bytes() - before) / messages);
    let _consumer = consume(&broker, "q", 0).await;
    println!("memory: {:>6} bytes per unacknowledged message", (resident_bytes() - before) / messages);
}

fn report(what: &str, times: usize, started: Instant) {
    let nanos = started.elapsed().as_nanos() as usize / times;
    println!("{what:<40} {nanos:>6} ns, {:>9} per second", 1_000_000_000 / nanos.max(1));
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

async fn broker<S: AsRef<str>>(queues: &[S]) -> EmbeddedBroker {
    let broker = EmbeddedBroker::builder().messages_max(10_000_000).build();
    let all = ExchangeName::new("all").unwrap();
    let name = |queue: &S| QueueName::new(queue).unwrap();
    let binding = |queue: &S| Binding {
        exchange: all.clone(),
        destination: Destination::Queue(name(queue)),
        key: BindingKey::parse("wiki.#").unwrap(),
    };
    let topology = Topology {
        exchanges: vec![Exchange { kind: ExchangeKind::Topic, ..Exchange::topic(all.clone()) }],
        queues: queues.iter().map(|queue| Queue::durable(name(queue), QueueType::Quorum)).collect(),
        bindings: queues.iter().map(binding).collect(),
    };
    broker.declare(&topology).await.unwrap();
    broker
}

fn envelope(exchange: &str, key: &str) -> Arc<Envelope> {
    let key = RoutingKey::new(key).unwrap();
    Arc::new(Envelope::new(ExchangeName::new(exchange).unwrap(), key, "{\"page\": \"Home\"}"))
}

async fn publish(broker: &EmbeddedBroker, envelope: &Arc<Envelope>) {
    assert_eq!(broker.publish(Arc::clone(envelope)).await.unwrap(), Confirmation::Routed);
}

async fn consume(broker: &EmbeddedBroker, queue: &str, prefetch: u16) -> Box<dyn Consumer> {
    let options = ConsumeOptions { prefetch, tag: "bench".into() };
    broker.consume(&QueueName::new(queue).unwrap(), options).await.unwrap()
}

async fn ack(consumer: &mut dyn Consumer) {
    let incoming = poll_fn(|cx| consumer.poll_next(cx)).await.unwrap().unwrap();
    incoming.settler.settle(Verdict::Ack).unwrap();
}
