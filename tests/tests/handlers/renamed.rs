//! Handlers that have got another name: nothing is lost on the way from their former queue.

use std::sync::Arc;
use std::time::Duration;

use bus_runtime::prelude::*;
use bus_runtime::provision::Apply;
use bus_runtime::topology::diff::Change;
use bus_runtime::{Attempt, Envelope, ErrorKind, ExchangeName, Redelivered};
use bus_tests::arena::{Arena, Calls, until};

mod before {
    use super::*;

    #[react("page.#", retry(max = 2, initial = "300ms"))]
    async fn index(key: RoutingKey, attempt: Attempt, calls: State<Calls>) -> Result<(), String> {
        calls.add(format!("before {key} {attempt}"));
        if key == "page.bad" { Err("not yet".to_owned()) } else { Ok(()) }
    }

    pub(crate) const MODULE: &str = module_path!();
    pub(crate) const QUEUE: &str = "handlers.renamed.before.index.react";
}

mod after {
    use super::*;

    #[react("page.#", formerly = "handlers::renamed::before::index", retry(max = 2, initial = "300ms"))]
    async fn search(
        key: RoutingKey,
        attempt: Attempt,
        _redelivered: Redelivered,
        calls: State<Calls>,
    ) -> Result<(), String> {
        calls.add(format!("after {key} {attempt}"));
        Ok(())
    }

    pub(crate) const MODULE: &str = module_path!();
    pub(crate) const QUEUE: &str = "handlers.renamed.after.search.react";
}

async fn publish(arena: &Arena, key: &str) {
    let react = ExchangeName::new(arena.name("react")).unwrap();
    let envelope = Envelope::new(react, RoutingKey::new(key).unwrap(), "{}");
    let _ = arena.transport().publish(Arc::new(envelope)).await.unwrap();
}

async fn is_there(arena: &Arena, queue: &str) -> bool {
    arena.transport().inspect(&arena.name(queue)).await.unwrap().is_some()
}

pub(crate) mod the_former_queue_is_drained_into_the_new_one {
    use super::*;

    pub(crate) async fn run(arena: Arena) {
        let setup = arena.app(before::MODULE).provision().await.unwrap();
        setup.apply(&Apply::default()).await.unwrap();
        for key in ["page.one", "page.two"] {
            publish(&arena, key).await;
        }
        arena.until_ready(before::QUEUE, 2).await;
        let calls = Calls::default();
        let bus = arena.app(after::MODULE).state(calls.clone()).start().await.unwrap();
        calls.until(2).await;
        // It is bound no more: what comes now comes once, to the new queue.
        publish(&arena, "page.three").await;
        calls.until(3).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["after page.one 1", "after page.three 1", "after page.two 1"]);
        assert_eq!(arena.ready(before::QUEUE).await, 0);
        bus.shutdown().await;
    }
}

pub(crate) mod workers_of_both_names_lose_nothing {
    use super::*;

    const MESSAGES: usize = 40;

    pub(crate) async fn run(arena: Arena) {
        let (theirs, ours) = (Calls::default(), Calls::default());
        let old = arena.app(before::MODULE).state(theirs.clone()).start().await.unwrap();
        let first = MESSAGES / 2;
        for number in 0..first {
            publish(&arena, &format!("page.n{number}")).await;
        }
        let new = arena.app(after::MODULE).state(ours.clone()).start().await.unwrap();
        for number in first..MESSAGES {
            publish(&arena, &format!("page.n{number}")).await;
        }
        until("all are handled", || theirs.count() + ours.count() >= MESSAGES).await;
        old.shutdown().await;
        new.settled().await.unwrap();
        let mut keys: Vec<_> = theirs.all().into_iter().chain(ours.all()).collect();
        keys.iter_mut().for_each(|call| *call = call.split(' ').nth(1).unwrap_or_default().to_owned());
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), MESSAGES);
        new.shutdown().await;
    }
}

pub(crate) mod a_retry_of_the_former_name_keeps_its_attempt {
    use super::*;

    pub(crate) async fn run(arena: Arena) {
        let (theirs, ours) = (Calls::default(), Calls::default());
        let old = arena.app(before::MODULE).state(theirs.clone()).start().await.unwrap();
        publish(&arena, "page.bad").await;
        theirs.until(1).await;
        // The next attempt waits on the broker, addressed to the former queue.
        old.shutdown().await;
        let new = arena.app(after::MODULE).state(ours.clone()).start().await.unwrap();
        ours.until(1).await;
        assert_eq!(ours.all(), ["after page.bad 2"]);
        new.shutdown().await;
    }
}

pub(crate) mod dead_letters_go_along_and_nothing_can_be_forged {
    use super::*;

    pub(crate) async fn run(arena: Arena) {
        let setup = arena.app(before::MODULE).provision().await.unwrap();
        setup.apply(&Apply::default()).await.unwrap();
        let key = RoutingKey::new(arena.name(&format!("{}.dead", before::QUEUE)).as_str()).unwrap();
        let mut letter = Envelope::new(ExchangeName::default_exchange(), key, "letter");
        letter.headers.set("bus-reason", "failed");
        let _ = arena.transport().publish(Arc::new(letter)).await.unwrap();
        let react = ExchangeName::new(arena.name("react")).unwrap();
        let mut forged = Envelope::new(react, RoutingKey::new("page.forged").unwrap(), "{}");
        forged.headers.set("bus-attempt", 9);
        forged.headers.set("bus-exchange", "audit");
        let _ = arena.transport().publish(Arc::new(forged)).await.unwrap();

        let calls = Calls::default();
        let bus = arena.app(after::MODULE).state(calls.clone()).start().await.unwrap();
        let dead = format!("{}.dead", after::QUEUE);
        arena.until_ready(&dead, 1).await;
        assert_eq!(arena.take(&dead).await[0].headers.text("bus-reason"), Some("failed"));
        calls.until(1).await;
        assert_eq!(calls.all(), ["after page.forged 1"]);
        bus.shutdown().await;
    }
}

pub(crate) mod diff_explains_it_and_prune_removes_it {
    use super::*;

    pub(crate) async fn run(arena: Arena) {
        let old = arena.app(before::MODULE).provision().await.unwrap();
        old.apply(&Apply::default()).await.unwrap();
        publish(&arena, "page.one").await;
        arena.until_ready(before::QUEUE, 1).await;

        let new = arena.app(after::MODULE).provision().await.unwrap();
        let changes = new.diff().await.unwrap().changes;
        let (from, to) = (arena.name(before::QUEUE).to_string(), arena.name(after::QUEUE).to_string());
        let missing = Change::MissingQueue { name: to.clone(), renamed_from: Some(from.clone()) };
        assert!(changes.contains(&missing), "{changes:?}");
        let renamed = changes.iter().find_map(|change| match change {
            Change::RenamedQueue { name, to, found } if *name == from => Some((to.clone(), found.messages)),
            _ => None,
        });
        assert_eq!(renamed, Some((to, 1)), "{changes:?}");

        // Its message is safe from pruning, and moved by the first worker.
        let prune = Apply { prune: true, ..Apply::default() };
        let held = new.apply(&prune).await.unwrap().held;
        assert!(
            held.iter().any(|held| held.what.ends_with(before::QUEUE) && held.why == "1 message"),
            "{held:?}"
        );
        publish(&arena, "page.two").await;
        assert_eq!(arena.ready(before::QUEUE).await, 1, "it is bound no more");
        let calls = Calls::default();
        let bus = arena.app(after::MODULE).state(calls.clone()).start().await.unwrap();
        calls.until(2).await;
        bus.settled().await.unwrap();
        let applied = new.apply(&prune).await.unwrap();
        assert_eq!((applied.held, applied.left.changes), (vec![], vec![]));
        assert!(!is_there(&arena, before::QUEUE).await);
        assert!(!is_there(&arena, &format!("{}.dead", before::QUEUE)).await);
        // Whoever looks for more notices that it is gone, and goes on.
        publish(&arena, "page.three").await;
        calls.until(3).await;
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        assert!(!is_there(&arena, before::QUEUE).await);
        bus.shutdown().await;
    }
}

pub(crate) mod a_former_name_is_one_that_nobody_has {
    use super::*;

    mod still {
        use super::*;

        #[react("a")]
        async fn one() {}

        #[react("a", formerly = "handlers::renamed::a_former_name_is_one_that_nobody_has::still::one")]
        async fn two() {}

        pub(crate) const MODULE: &str = module_path!();
    }

    mod both {
        use super::*;

        #[react("a", formerly = "handlers::gone")]
        async fn one() {}

        #[react("a", formerly = "handlers::gone")]
        async fn two() {}

        pub(crate) const MODULE: &str = module_path!();
    }

    pub(crate) async fn run(arena: Arena) {
        for (module, words) in [(still::MODULE, "still has queue"), (both::MODULE, "two handlers say")] {
            let error = arena.app(module).start().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Registration);
            assert!(error.to_string().contains(words), "{error}");
            assert!(!error.places().is_empty());
        }
    }
}
