//! What `topology diff` and `topology apply` find and do.

use std::sync::Arc;
use std::time::Duration;

use bus_runtime::provision::{Applied, Apply, Doomed, Drift, Held, Provision, Recreate};
use bus_runtime::topology::diff::Change;
use bus_runtime::topology::{Binding, Destination, Queue, QueueType, Topology};
use bus_runtime::transport::Confirmation;
use bus_runtime::{BindingKey, Envelope, ExchangeName, RoutingKey};
use bus_tests::arena::Arena;

use crate::stages::{after, before, narrowed, other};

async fn provision(arena: &Arena, module: &str) -> Provision {
    arena.app(module).provision().await.unwrap()
}

async fn apply(provision: &Provision) -> Applied {
    provision.apply(&Apply::default()).await.unwrap()
}

async fn prune(provision: &Provision) -> Applied {
    provision.apply(&Apply { prune: true, ..Apply::default() }).await.unwrap()
}

/// What differs, one line each, without the prefix of the arena and the long names of the handlers' modules.
fn told(arena: &Arena, changes: &[Change]) -> Vec<String> {
    let line = |change: &Change| match change {
        Change::MissingExchange { name } => format!("+ exchange {name}"),
        Change::MissingQueue { name, renamed_from: None } => format!("+ queue {name}"),
        Change::MissingQueue { name, renamed_from: Some(old) } => format!("+ queue {name}, once {old}"),
        Change::MissingBinding(binding) => format!("+ {binding}"),
        Change::DifferentExchange { name, differences } => format!("~ exchange {name}: {}", differences[0]),
        Change::DifferentQueue { name, found } => {
            format!("~ queue {name}: {} ({} messages)", found.differences[0], found.messages)
        }
        Change::LeftBinding(binding) => format!("- {binding}"),
        Change::LeftQueue { name, found } => format!("- queue {name} ({} messages)", found.messages),
        Change::LeftExchange { name } => format!("- exchange {name}"),
        Change::ForeignBinding(binding) => format!("? {binding}"),
        other => format!("{other:?}"),
    };
    let prefix = arena.name("").to_string();
    let short = |line: String| line.replace(&prefix, "").replace("topology.stages.", "");
    changes.iter().map(line).map(short).collect()
}

fn held(arena: &Arena, held: &[Held]) -> Vec<String> {
    let prefix = arena.name("").to_string();
    let line = |held: &Held| format!("{}: {}", held.what, held.why);
    held.iter().map(line).map(|line| line.replace(&prefix, "").replace("topology.stages.", "")).collect()
}

async fn bind(arena: &Arena, exchange: &str, key: &str, queue: &str) {
    let binding = Binding {
        exchange: ExchangeName::new(arena.name(exchange)).unwrap(),
        destination: Destination::Queue(arena.name(queue)),
        key: BindingKey::parse(key).unwrap(),
    };
    arena.transport().declare(&Topology { bindings: vec![binding], ..Topology::default() }).await.unwrap();
}

async fn send(arena: &Arena, queue: &str, body: impl Into<bytes::Bytes>) {
    let key = RoutingKey::new(arena.name(queue)).unwrap();
    let mut envelope = Envelope::new(ExchangeName::default_exchange(), key, body);
    envelope.properties.persistent = true;
    let _ = arena.transport().publish(Arc::new(envelope)).await.unwrap();
}

const OLD: &str = "topology.stages.before.index.react";

pub(crate) async fn o1_apply_is_idempotent(arena: Arena) {
    let provision = provision(&arena, before::MODULE).await;
    let first = apply(&provision).await;
    assert!(!first.declared.is_empty());
    assert_eq!(told(&arena, &first.left.changes), [""; 0]);
    send(&arena, "tickets", "kept").await;
    arena.until_ready("tickets", 1).await;
    let second = apply(&provision).await;
    assert_eq!((second.declared, second.pruned, second.held), (vec![], vec![], vec![]));
    assert_eq!(arena.ready("tickets").await, 1);
    let mark = provision.mark().await.unwrap().unwrap();
    assert_eq!((mark.app.as_str(), mark.serial), ("test", 1));
    assert_eq!(mark.definitions.queues.len(), 5, "two queues, their dead letters and `bus.due`");
}

pub(crate) async fn shows_says_exactly_what_differs(arena: Arena) {
    apply(&provision(&arena, before::MODULE).await).await;
    send(&arena, "tickets", "kept").await;
    arena.until_ready("tickets", 1).await;
    bind(&arena, "audit", "by.hand", "tickets").await;

    let now = provision(&arena, after::MODULE).await;
    let Drift { changes, unseen, .. } = now.diff().await.unwrap();
    let mut expected = vec![
        "+ queue after.search.react.dead",
        "+ queue after.search.react, once before.index.react",
        "+ react --page.#--> after.search.react",
        "~ queue tickets: x-message-ttl is 60000 on the broker and 90000 in the code (1 messages)",
        "- queue before.index.react.dead (0 messages)",
        "- queue before.index.react (0 messages)",
    ];
    // RabbitMQ shows its bindings through the management API only; without it the diff says so.
    assert_eq!(unseen.is_some(), arena.transport().describe().system == "rabbitmq", "{unseen:?}");
    if unseen.is_none() {
        expected.push("? audit --by.hand--> tickets");
    }
    assert_eq!(told(&arena, &changes), expected);

    // The safe part is declared; nothing is deleted.
    let applied = apply(&now).await;
    assert_eq!(told(&arena, &applied.declared), expected[..3]);
    assert_eq!(told(&arena, &applied.left.changes), expected[3..]);
    assert_eq!(arena.ready("tickets").await, 1);
}

pub(crate) async fn prune_deletes_what_is_ours_empty_and_unused(arena: Arena) {
    apply(&provision(&arena, before::MODULE).await).await;
    let foreign = Queue::durable(arena.name("topology.stages.before.foreign"), QueueType::Classic);
    let foreign = Topology { queues: vec![foreign], ..Topology::default() };
    arena.transport().declare(&foreign).await.unwrap();
    send(&arena, OLD, "work").await;
    arena.until_ready(OLD, 1).await;

    let now = provision(&arena, after::MODULE).await;
    let pruned = prune(&now).await;
    assert_eq!(pruned.pruned, []);
    assert_eq!(
        held(&arena, &pruned.held),
        [
            "queue before.index.react: 1 message",
            "queue before.index.react.dead: the queue whose dead letters it takes is still there",
        ]
    );
    // It stays bound: an old worker may still be there for it.
    let react = ExchangeName::new(arena.name("react")).unwrap();
    let event = Envelope::new(react, RoutingKey::new("page.saved").unwrap(), "more");
    let _ = arena.transport().publish(Arc::new(event)).await.unwrap();
    arena.until_ready(OLD, 2).await;

    assert_eq!(arena.take(OLD).await.len(), 2);
    let pruned = prune(&now).await;
    assert_eq!(told(&arena, &pruned.pruned).len(), 2);
    assert_eq!(pruned.held, []);
    let left = told(&arena, &pruned.left.changes);
    assert!(left.iter().all(|line| line.starts_with("~ queue tickets")), "{left:?}");
    assert!(arena.transport().inspect(&arena.name(OLD)).await.unwrap().is_none());
    let foreign = arena.name("topology.stages.before.foreign");
    assert!(arena.transport().inspect(&foreign).await.unwrap().is_some());
    let mark = now.mark().await.unwrap().unwrap();
    assert!(!mark.definitions.queues.iter().any(|queue| queue.name.contains("index")));
}

pub(crate) async fn a_binding_that_no_handler_wants_is_removed(arena: Arena) {
    apply(&provision(&arena, other::MODULE).await).await;
    let now = provision(&arena, narrowed::MODULE).await;
    let changes = ["+ audit --ticket.new--> tickets", "- audit --ticket.*--> tickets"];
    assert_eq!(told(&arena, &now.diff().await.unwrap().changes), changes);
    let pruned = prune(&now).await;
    assert_eq!(
        (told(&arena, &pruned.declared), told(&arena, &pruned.pruned)),
        ([changes[0].to_owned()].to_vec(), [changes[1].to_owned()].to_vec())
    );
    assert_eq!(told(&arena, &pruned.left.changes), [""; 0]);
    let publish = |key: &str| {
        let audit = ExchangeName::new(arena.name("audit")).unwrap();
        arena.transport().publish(Arc::new(Envelope::new(audit, RoutingKey::new(key).unwrap(), "")))
    };
    assert_eq!(publish("ticket.new").await.unwrap(), Confirmation::Routed);
    assert_eq!(publish("ticket.old").await.unwrap(), Confirmation::Unroutable);
}

pub(crate) async fn recreate_deletes_what_it_said(arena: Arena) {
    apply(&provision(&arena, before::MODULE).await).await;
    for body in ["one", "two"] {
        send(&arena, "tickets", body).await;
    }
    arena.until_ready("tickets", 2).await;
    let now = provision(&arena, after::MODULE).await;
    apply(&now).await;
    let doomed = now.doomed(Recreate::Changed).await.unwrap();
    let name = arena.name("tickets").to_string();
    assert_eq!(doomed, [Doomed::Queue { name, messages: 2, consumers: 0 }]);
    assert_eq!(arena.ready("tickets").await, 2, "looking deletes nothing");

    let applied = now.apply(&Apply { recreate: doomed.clone(), prune: true }).await.unwrap();
    assert_eq!((applied.recreated, applied.held), (doomed, vec![]));
    assert_eq!(told(&arena, &applied.left.changes), [""; 0]);
    assert_eq!(arena.ready("tickets").await, 0);

    let all = now.doomed(Recreate::All).await.unwrap();
    assert_eq!(all.len(), 5 + 3, "five queues and three exchanges");
    let applied = now.apply(&Apply { recreate: all, prune: false }).await.unwrap();
    assert_eq!((applied.recreated.len(), applied.held.len()), (8, 0));
    assert_eq!(told(&arena, &applied.left.changes), [""; 0]);
}

pub(crate) async fn bindings_of_others_outlive_a_recreated_queue(arena: Arena) {
    apply(&provision(&arena, before::MODULE).await).await;
    bind(&arena, "audit", "by.hand", "tickets").await;
    let now = provision(&arena, after::MODULE).await;
    let drift = now.diff().await.unwrap();
    let doomed = now.doomed(Recreate::Changed).await.unwrap();
    let applied = now.apply(&Apply { recreate: doomed, prune: true }).await.unwrap();
    assert_eq!(applied.held, []);
    let audit = ExchangeName::new(arena.name("audit")).unwrap();
    let by_hand = Envelope::new(audit, RoutingKey::new("by.hand").unwrap(), "");
    let arrived = arena.transport().publish(Arc::new(by_hand)).await.unwrap();
    // Without the management API RabbitMQ does not show them, and the command says so before it asks.
    let expected = if drift.unseen.is_none() { Confirmation::Routed } else { Confirmation::Unroutable };
    assert_eq!(arrived, expected);
}

pub(crate) async fn what_another_app_needs_stays(arena: Arena) {
    let first = provision(&arena, before::MODULE).await;
    apply(&first).await;
    let second = arena.app(other::MODULE).name("other").provision().await.unwrap();
    apply(&second).await;
    // Without the handlers that it had, the first app leaves all of its queues behind; two of them and `bus.due` are shared.
    let nothing = arena.app("no::such::module").register(unrelated()).provision().await.unwrap();
    let pruned = prune(&nothing).await;
    assert_eq!(pruned.held, []);
    assert_eq!(
        told(&arena, &pruned.pruned),
        ["- queue before.index.react (0 messages)", "- queue before.index.react.dead (0 messages)"]
    );
    assert_eq!(told(&arena, &second.diff().await.unwrap().changes), [""; 0]);
    let doomed = second.doomed(Recreate::All).await.unwrap();
    assert!(!doomed.iter().any(|one| matches!(one, Doomed::Exchange { .. })), "{doomed:?}");
}

/// A handler of the react exchange that the other app does not have.
fn unrelated() -> bus_runtime::HandlerRegistration {
    let id = bus_runtime::HandlerId { module: "topology::unrelated", name: "handler" };
    bus_runtime::HandlerRegistration::react(id, &["unrelated"], |_| {
        Box::pin(async { Ok(bus_runtime::ack()) })
    })
}

pub(crate) async fn appliers_do_not_lose_each_others_marks(arena: Arena) {
    const APPLIERS: usize = 4;
    let appliers = (0..APPLIERS).map(|number| {
        let app = arena.app(before::MODULE).name(format!("app-{number}"));
        async move {
            let provision = app.provision().await.unwrap();
            apply(&provision).await;
            provision
        }
    });
    for provision in futures_util::future::join_all(appliers).await {
        assert_eq!(provision.mark().await.unwrap().unwrap().serial, 1);
    }
    arena.until_ready("bus.topology", APPLIERS as u64).await;
    assert!(arena.transport().inspect(&arena.name("bus.topology.lock")).await.unwrap().is_none());
}

pub(crate) async fn two_marks_of_one_app_become_one(arena: Arena) {
    let old = provision(&arena, before::MODULE).await;
    apply(&old).await;
    // A writer that died between the new mark and the end of the old one.
    let mut mark = old.mark().await.unwrap().unwrap();
    mark.serial += 1;
    mark.definitions.queues.retain(|queue| !queue.name.contains("index"));
    send(&arena, "bus.topology", serde_json::to_vec(&mark).unwrap()).await;
    send(&arena, "bus.topology", "not a mark").await;
    arena.until_ready("bus.topology", 3).await;

    let now = provision(&arena, after::MODULE).await;
    let changes = told(&arena, &now.diff().await.unwrap().changes);
    assert!(changes.contains(&"- queue before.index.react (0 messages)".to_owned()), "{changes:?}");
    apply(&now).await;
    assert_eq!(now.mark().await.unwrap().unwrap().serial, 3);
    arena.until_ready("bus.topology", 2).await;
}

pub(crate) async fn a_lock_ends_with_its_connection(arena: Arena) {
    let (one, other) = (provision(&arena, before::MODULE).await, provision(&arena, before::MODULE).await);
    let mut lock = Queue::durable(arena.name("bus.topology.lock"), QueueType::Classic);
    (lock.durable, lock.exclusive, lock.auto_delete) = (false, true, true);
    one.transport().declare(&Topology { queues: vec![lock], ..Topology::default() }).await.unwrap();
    let applying = apply(&other);
    tokio::pin!(applying);
    let waited = tokio::time::timeout(Duration::from_millis(300), &mut applying).await;
    assert!(waited.is_err(), "it waits for the lock");
    one.transport().close(Duration::from_secs(5)).await;
    assert!(!applying.await.declared.is_empty());
}
