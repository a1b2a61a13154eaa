//! Exchanges and queues of others: used, and never changed.

use std::sync::Arc;

use bus_runtime::prelude::*;
use bus_runtime::topology::{Binding, Destination, Exchange, ExchangeKind, Queue, QueueType, Topology};
use bus_runtime::{BindingKey, Envelope, Error, ErrorKind, ExchangeName};
use bus_tests::arena::{Arena, Calls};

fn exchange(arena: &Arena, name: &str, kind: ExchangeKind) -> Exchange {
    // Not as Bus would declare it: whoever declares it again like that is refused.
    let name = ExchangeName::new(arena.name(name)).unwrap();
    Exchange { kind, durable: false, ..Exchange::topic(name) }
}

fn queue(arena: &Arena, name: &str) -> Queue {
    let mut queue = Queue::durable(arena.name(name), QueueType::Classic);
    queue.arguments.max_length = Some(100);
    queue
}

async fn owner_declares(arena: &Arena, topology: Topology) {
    arena.transport().declare(&topology).await.unwrap();
}

async fn publish(arena: &Arena, exchange: &str, key: &str) {
    let exchange = match exchange {
        "" => ExchangeName::default_exchange(),
        name => ExchangeName::new(arena.name(name)).unwrap(),
    };
    let envelope = Envelope::new(exchange, RoutingKey::new(key).unwrap(), "{}");
    let _ = arena.transport().publish(Arc::new(envelope)).await.unwrap();
}

fn refused(arena: &Arena, error: &Error, kind: ErrorKind, text: &str, place: &str) {
    let prefix = arena.name("").to_string();
    assert_eq!((error.kind(), error.to_string().replace(&prefix, "").as_str()), (kind, text));
    let places = error.places().iter().map(|(_, label)| label.replace(&prefix, ""));
    assert!(places.clone().any(|label| label.ends_with(place)), "{:?}", places.collect::<Vec<_>>());
}

pub(crate) mod a_queue_is_bound_to_an_exchange_of_others {
    use super::*;

    #[react("archive.*", exchange = "events", retry(max = 1, initial = "10ms"))]
    async fn of_topic(
        key: RoutingKey,
        attempt: bus_runtime::Attempt,
        calls: State<Calls>,
    ) -> Result<(), String> {
        calls.add(format!("topic {key} {attempt}"));
        if attempt.0 == 1 { Err("again".to_owned()) } else { Ok(()) }
    }

    #[react("exact.key", exchange = "by_key", exchange_kind = "direct", declare = "never")]
    async fn of_direct(key: RoutingKey, calls: State<Calls>) {
        calls.add(format!("direct {key}"));
    }

    #[react("#", exchange = "all", exchange_kind = "fanout", declare = "never")]
    async fn of_fanout(key: RoutingKey, calls: State<Calls>) {
        calls.add(format!("fanout {key}"));
    }

    pub(crate) async fn run(arena: Arena) {
        let exchanges = vec![
            exchange(&arena, "events", ExchangeKind::Topic),
            exchange(&arena, "by_key", ExchangeKind::Direct),
            exchange(&arena, "all", ExchangeKind::Fanout),
        ];
        owner_declares(&arena, Topology { exchanges: exchanges.clone(), ..Topology::default() }).await;
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        publish(&arena, "events", "archive.ingested").await;
        publish(&arena, "events", "archive.a.b").await;
        publish(&arena, "by_key", "exact.key").await;
        publish(&arena, "by_key", "another.key").await;
        publish(&arena, "all", "any.key.at.all").await;
        calls.until(4).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(
            all,
            [
                "direct exact.key",
                "fanout any.key.at.all",
                "topic archive.ingested 1",
                "topic archive.ingested 2"
            ]
        );
        bus.shutdown().await;
        for exchange in exchanges {
            let found = arena.transport().compare_exchange(&exchange).await.unwrap();
            assert_eq!(found, Some(vec![]), "`{}` is as its owner declared it", exchange.name);
        }
    }
}

pub(crate) mod a_missing_exchange_is_declared_unless_that_is_refused {
    use super::*;

    pub(crate) mod may {
        use super::*;

        #[react("a", exchange = "theirs", exchange_kind = "direct")]
        async fn on_a() {}

        pub(crate) const MODULE: &str = module_path!();
    }

    mod must_not {
        use super::*;

        #[react("a", exchange = "theirs", declare = "never")]
        async fn on_a() {}

        #[react("#", queue = "their.queue", declare = "never")]
        async fn on_queue() {}

        pub(crate) const MODULE: &str = module_path!();
    }

    mod other_kind {
        use super::*;

        #[react("a", exchange = "theirs")]
        async fn on_a() {}

        pub(crate) const MODULE: &str = module_path!();
    }

    pub(crate) async fn run(arena: Arena) {
        let error = arena.app(must_not::MODULE).start().await.unwrap_err();
        let text = "exchange `theirs` and queue `their.queue` do not exist, and others have to declare it";
        refused(&arena, &error, ErrorKind::NotFound, text, "must_not::on_a is bound to `theirs`");
        refused(&arena, &error, ErrorKind::NotFound, text, "must_not::on_queue consumes `their.queue`");
        let theirs = Exchange {
            kind: ExchangeKind::Direct,
            durable: true,
            ..exchange(&arena, "theirs", ExchangeKind::Direct)
        };
        assert!(!arena.transport().has_exchange(&theirs.name).await.unwrap());

        arena.app(may::MODULE).start().await.unwrap().shutdown().await;
        assert_eq!(arena.transport().compare_exchange(&theirs).await.unwrap(), Some(vec![]));
        let error = arena.app(other_kind::MODULE).start().await.unwrap_err();
        let text =
            "exchange `theirs` routes in another way: type is direct on the broker and topic in the code";
        refused(&arena, &error, ErrorKind::Mismatch, text, "other_kind::on_a is bound to `theirs`");
    }
}

pub(crate) mod a_queue_of_others_is_consumed_as_it_is {
    use super::*;

    #[react("orders.#", queue = "their.orders", declare = "never", retry(max = 1, initial = "10ms"))]
    async fn on_order(
        key: RoutingKey,
        attempt: bus_runtime::Attempt,
        calls: State<Calls>,
    ) -> Result<(), String> {
        calls.add(format!("{key} {attempt}"));
        if key == "orders.bad" { Err("no".to_owned()) } else { Ok(()) }
    }

    pub(crate) async fn run(arena: Arena) {
        let their = queue(&arena, "their.orders");
        let any = Binding {
            exchange: ExchangeName::new(arena.name("shop")).unwrap(),
            destination: Destination::Queue(their.name.clone()),
            key: BindingKey::parse("#").unwrap(),
        };
        let shop = exchange(&arena, "shop", ExchangeKind::Topic);
        owner_declares(
            &arena,
            Topology { exchanges: vec![shop], queues: vec![their.clone()], bindings: vec![any] },
        )
        .await;
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        for key in ["orders.new", "orders.bad", "returns.new"] {
            publish(&arena, "shop", key).await;
        }
        // The queue is theirs: nothing of ours is bound to it.
        bus.react("orders.unbound", &()).await.unwrap();
        arena.until_ready("their.orders.dead", 2).await;
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["orders.bad 1", "orders.bad 2", "orders.new 1"]);
        let letters = arena.take("their.orders.dead").await;
        let mut reasons: Vec<_> =
            letters.iter().filter_map(|letter| letter.headers.text("bus-reason")).collect();
        reasons.sort_unstable();
        assert_eq!(reasons, ["failed", "unknown_type"]);
        bus.shutdown().await;
        assert_eq!(arena.transport().compare_queue(&their).await.unwrap(), Some(vec![]));
    }
}

pub(crate) mod what_no_copy_can_be_made_of_is_not_lost_from_a_queue_of_others {
    use super::*;

    #[react("#", queue = "their.large", declare = "never")]
    async fn on_any(calls: State<Calls>) {
        calls.add("called");
    }

    pub(crate) async fn run(arena: Arena) {
        let their = queue(&arena, "their.large");
        owner_declares(&arena, Topology { queues: vec![their.clone()], ..Topology::default() }).await;
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let key = RoutingKey::new(their.name.as_str()).unwrap();
        let mut envelope = Envelope::new(ExchangeName::default_exchange(), key, "kept");
        envelope.headers.set("large", "x".repeat(70 << 10));
        let _ = arena.transport().publish(Arc::new(envelope)).await.unwrap();
        arena.until_ready("their.large.dead", 1).await;
        assert_eq!(&arena.take("their.large.dead").await[0].body[..], b"kept");
        assert_eq!(calls.count(), 0);
        bus.shutdown().await;
    }
}

pub(crate) mod nothing_of_others_is_claimed_recreated_or_pruned {
    use super::*;
    use bus_runtime::provision::{Apply, Doomed, Recreate};
    use bus_runtime::topology::diff::{Change, Remedy};

    mod uses {
        use super::*;

        #[react("a.#", exchange = "their.events", retry = "none")]
        #[react("b.#", exchange = "their.events")]
        async fn on_event() {}

        #[react("#", queue = "their.queue", declare = "never", retry = "none")]
        async fn on_queue() {}

        pub(crate) const MODULE: &str = module_path!();
    }

    mod uses_less {
        use super::*;

        #[react("b.#", exchange = "their.events", retry = "none", queue = "events.of.mine")]
        async fn on_event() {}

        #[react("x", retry = "none")]
        async fn on_x() {}

        pub(crate) const MODULE: &str = module_path!();
    }

    async fn is_there(arena: &Arena) -> bool {
        let exchange = ExchangeName::new(arena.name("their.events")).unwrap();
        let queue = arena.transport().inspect(&arena.name("their.queue")).await.unwrap();
        queue.is_some() && arena.transport().has_exchange(&exchange).await.unwrap()
    }

    pub(crate) async fn run(arena: Arena) {
        let provision = arena.app(uses::MODULE).provision().await.unwrap();
        let changes = provision.diff().await.unwrap().changes;
        let missing = |change: &&Change| change.remedy() == Remedy::Owner;
        assert_eq!(
            changes.iter().filter(missing).count(),
            1,
            "the queue, which is never declared: {changes:?}"
        );

        let exchange = exchange(&arena, "their.events", ExchangeKind::Topic);
        let queue = queue(&arena, "their.queue");
        owner_declares(
            &arena,
            Topology { exchanges: vec![exchange], queues: vec![queue], ..Topology::default() },
        )
        .await;
        let applied = provision.apply(&Apply::default()).await.unwrap();
        assert_eq!(applied.left.changes, []);
        let mark = provision.mark().await.unwrap().unwrap();
        let owned = |name: &str| arena.name(name).to_string();
        assert!(!mark.definitions.exchanges.iter().any(|one| one.name == owned("their.events")));
        assert!(!mark.definitions.queues.iter().any(|one| one.name == owned("their.queue")));

        let all = provision.doomed(Recreate::All).await.unwrap();
        let theirs = |one: &Doomed| match one {
            Doomed::Queue { name, .. } => *name == owned("their.queue"),
            Doomed::Exchange { name } => *name == owned("their.events"),
            _ => true,
        };
        assert!(!all.iter().any(theirs), "{all:?}");
        provision.apply(&Apply { recreate: all, prune: false }).await.unwrap();
        assert!(is_there(&arena).await);

        let less = arena.app(uses_less::MODULE).provision().await.unwrap();
        let pruned = less.apply(&Apply { prune: true, ..Apply::default() }).await.unwrap();
        assert_eq!(pruned.held, []);
        let queues = pruned.pruned.iter().filter(|one| matches!(one, Change::LeftQueue { .. })).count();
        assert_eq!(
            queues, 3,
            "the queue of `on_event`, its dead letters, and those of their queue: {pruned:?}"
        );
        assert!(is_there(&arena).await);
    }
}

pub(crate) mod what_handlers_say_of_one_exchange_must_agree {
    use super::*;

    mod kinds {
        use super::*;

        #[react("a", exchange = "theirs", exchange_kind = "direct")]
        async fn one() {}

        #[react("a", exchange = "theirs")]
        async fn two() {}

        pub(crate) const MODULE: &str = module_path!();
    }

    mod own {
        use super::*;

        #[audit("a", exchange = "react", declare = "never")]
        async fn on_a() {}

        pub(crate) const MODULE: &str = module_path!();
    }

    pub(crate) async fn run(arena: Arena) {
        let error = arena.app(kinds::MODULE).start().await.unwrap_err();
        let text = "exchange `theirs` is said to be direct by one handler and topic by another";
        refused(&arena, &error, ErrorKind::Registration, text, "kinds::two");
        let error = arena.app(own::MODULE).start().await.unwrap_err();
        let text = "this app declares exchange `react` itself, as a topic exchange";
        refused(&arena, &error, ErrorKind::Registration, text, "own::on_a");
    }
}
