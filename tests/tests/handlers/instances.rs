//! The instances of one message: each is called, fails and is retried on its own.

use std::sync::Arc;
use std::time::Duration;

use bus_runtime::prelude::*;
use bus_runtime::{Attempt, ErrorKind};
use bus_tests::arena::{Arena, Calls};
use serde::{Deserialize, Serialize};

use crate::installed::{Installed, dead_letters};

pub(crate) mod only_the_failed_instances_are_retried {
    use super::*;

    struct Wiki {
        name: &'static str,
    }

    #[controller]
    impl Wiki {
        #[react("keyed.#", timeout = "200ms", retry(max = 2, initial = "50ms"))]
        async fn reactor(&self, attempt: Attempt, calls: State<Calls>) -> Result<(), BoxError> {
            calls.add(format!("{} {attempt}", self.name));
            match (self.name, attempt.0) {
                ("fails", 1 | 2) => Err("not yet".into()),
                ("panics", 1) => panic!("on purpose"),
                ("hangs", 1) => std::future::pending().await,
                ("never", _) => Err("never".into()),
                _ => Ok(()),
            }
        }
    }

    installed!(Wiki, name);

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let places = ["fails", "good", "hangs", "never", "panics"].map(|name| ("p1", name));
        let app = arena.app(module_path!()).state(calls.clone());
        let bus = app.state(Installed::new(&places, |name| Wiki { name })).start().await.unwrap();
        bus.react("keyed.x", &()).context("p1", "scm").message_id("m1").await.unwrap();
        let letter = dead_letters(&arena, &bus, 1).await.remove(0);
        calls.until(11).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        let wanted = [
            "fails 1", "fails 2", "fails 3", "good 1", "hangs 1", "hangs 2", "never 1", "never 2", "never 3",
            "panics 1", "panics 2",
        ];
        assert_eq!(all, wanted);
        assert_eq!(letter.headers.text("bus-instance"), Some("never"));
        assert_eq!(letter.headers.text("bus-reason"), Some("failed"));
        let stats = bus.stats().handlers.remove(0);
        assert_eq!((stats.called, stats.handled, stats.failed), (11, 4, 7), "{stats:?}");
        assert_eq!((stats.retried, stats.dead_lettered), (6, 1), "{stats:?}");
        bus.shutdown().await;
    }
}

pub(crate) mod without_keys_the_whole_message_is_retried {
    use super::*;

    struct Wiki(&'static str);

    #[controller]
    impl Wiki {
        #[react("keyless.#", retry(max = 3, initial = "50ms"))]
        async fn reactor(&self, attempt: Attempt, calls: State<Calls>) -> Result<(), BoxError> {
            calls.add(format!("{} {attempt}", self.0));
            match (self.0, attempt.0) {
                ("a" | "b", 1) => Err("not yet".into()),
                _ => Ok(()),
            }
        }
    }

    installed!(Wiki);

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone());
        let places = ["a", "b", "c"].map(|name| ("p1", name));
        let bus = app.state(Installed::new(&places, Wiki)).start().await.unwrap();
        bus.react("keyless.x", &()).context("p1", "scm").await.unwrap();
        calls.until(6).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["a 1", "a 2", "b 1", "b 2", "c 1", "c 2"], "one copy, for all of them");
        assert_eq!(bus.stats().handlers[0].retried, 1);
        bus.shutdown().await;
    }
}

pub(crate) mod an_instance_that_went_away_leaves_a_dead_letter {
    use super::*;

    struct Wiki;

    #[controller]
    impl Wiki {
        #[react("gone.#", retry(max = 3, initial = "50ms"))]
        async fn reactor(&self, attempt: Attempt, calls: State<Calls>) -> Result<(), BoxError> {
            calls.add(attempt);
            Err("not yet".into())
        }
    }

    impl Instances for Wiki {
        async fn at(_ctx: &Context) -> Result<Option<Arc<Self>>, BoxError> {
            Ok(None)
        }

        async fn all(ctx: &Context) -> Result<Vec<Arc<Self>>, BoxError> {
            let left = ctx.state::<Calls>()?.count() == 0;
            Ok(left.then(|| Arc::new(Self)).into_iter().collect())
        }

        fn key(&self) -> Option<String> {
            Some("docs".into())
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("gone.x", &()).context("p1", "scm").await.unwrap();
        let letter = dead_letters(&arena, &bus, 1).await.remove(0);
        assert_eq!(calls.all(), ["1"]);
        assert_eq!(letter.headers.text("bus-reason"), Some("no_instance"));
        assert_eq!(letter.headers.text("bus-instance"), Some("docs"));
        assert_eq!(letter.headers.text("bus-error"), Some("there is no Wiki `docs` in project p1 any more"));
        bus.shutdown().await;
    }
}

pub(crate) mod not_finding_is_a_failed_attempt {
    use super::*;

    struct Wiki;

    #[controller]
    impl Wiki {
        #[react("find.#", timeout = "100ms", retry(max = 3, initial = "50ms"))]
        async fn reactor(&self, attempt: Attempt, calls: State<Calls>) {
            calls.add(format!("called {attempt}"));
        }

        #[message_handler(Find)]
        async fn find(&self, _command: Find) -> Result<(), BoxError> {
            Ok(())
        }
    }

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("find.command")]
    struct Find {
        mount_point: Option<String>,
    }

    impl Instances for Wiki {
        async fn at(ctx: &Context) -> Result<Option<Arc<Self>>, BoxError> {
            match ctx.mount_point() {
                None => Ok(None),
                Some(_) => Err("the database is away".into()),
            }
        }

        async fn all(ctx: &Context) -> Result<Vec<Arc<Self>>, BoxError> {
            let calls = ctx.state::<Calls>()?;
            calls.add("find");
            match calls.count() {
                1 => Err("the database is away".into()),
                2 => panic!("on purpose"),
                3 => std::future::pending().await,
                _ => Ok(vec![Arc::new(Self)]),
            }
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("find.x", &()).context("p1", "scm").await.unwrap();
        calls.until(5).await;
        bus.settled().await.unwrap();
        assert_eq!(calls.all(), ["find", "find", "find", "find", "called 4"]);
        assert_eq!(bus.stats().handlers[0].failed, 3);
        // Who asks is told at once.
        for (mount_point, text) in [(None, "there is no Wiki"), (Some("wiki"), "the database is away")] {
            let mount_point = mount_point.map(str::to_owned);
            let error = bus.execute(Find { mount_point }).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CommandFailed);
            let failure = bus_runtime::CommandFailure::of(&error).unwrap();
            assert!(failure.error().contains(text), "{failure}");
        }
        bus.shutdown().await;
    }
}

pub(crate) mod instances_of_a_shared_queue {
    use super::*;

    struct Wiki {
        name: &'static str,
    }

    #[controller]
    impl Wiki {
        #[react("pool.#", queue = "pool.shared", retry(max = 1, initial = "50ms"))]
        async fn fails(&self, attempt: Attempt, calls: State<Calls>) -> Result<(), BoxError> {
            calls.add(format!("{} {attempt}", self.name));
            if self.name == "a" && attempt.0 == 1 { Err("not yet".into()) } else { Ok(()) }
        }
    }

    installed!(Wiki, name);

    #[react("pool.#", queue = "pool.shared")]
    async fn succeeds(attempt: Attempt, calls: State<Calls>) {
        calls.add(format!("function {attempt}"));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone());
        let places = [("p1", "a"), ("p1", "b")];
        let bus = app.state(Installed::new(&places, |name| Wiki { name })).start().await.unwrap();
        bus.react("pool.x", &()).context("p1", "scm").await.unwrap();
        calls.until(4).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["a 1", "a 2", "b 1", "function 1"]);
        bus.shutdown().await;
    }
}

pub(crate) mod a_forged_instance_does_not_count {
    use super::*;

    struct Wiki {
        name: &'static str,
    }

    #[controller]
    impl Wiki {
        #[react("forged.#", retry(max = 1, initial = "50ms"))]
        async fn reactor(&self, attempt: Attempt, calls: State<Calls>) -> Result<(), BoxError> {
            calls.add(format!("{} {attempt}", self.name));
            if self.name == "a" && attempt.0 == 1 { Err("not yet".into()) } else { Ok(()) }
        }
    }

    installed!(Wiki, name);

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone());
        let places = [("p1", "a"), ("p1", "b")];
        let bus = app.state(Installed::new(&places, |name| Wiki { name })).start().await.unwrap();
        let forged = bus.react("forged.x", &()).context("p1", "scm").header("bus-instance", "b");
        forged.header("bus-member", "nobody").await.unwrap();
        calls.until(3).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["a 1", "a 2", "b 1"]);
        bus.shutdown().await;
    }
}

pub(crate) mod instances_are_called_side_by_side {
    use super::*;

    struct Wiki;

    #[controller]
    impl Wiki {
        #[react("side.many")]
        async fn many(&self, together: State<tokio::sync::Barrier>, calls: State<Calls>) {
            together.wait().await;
            calls.add("together");
        }

        #[react("side.one", concurrency = 1)]
        async fn one(&self, alone: State<tokio::sync::Mutex<()>>, calls: State<Calls>) {
            let _alone = alone.try_lock().expect("no other instance is being called");
            tokio::time::sleep(Duration::from_millis(5)).await;
            calls.add("alone");
        }
    }

    installed!(Wiki);

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone());
        let app = app.state(tokio::sync::Barrier::new(3)).state(tokio::sync::Mutex::new(()));
        let places = ["a", "b", "c"].map(|name| ("p1", name));
        let bus = app.state(Installed::new(&places, |_| Wiki)).start().await.unwrap();
        bus.react("side.many", &()).context("p1", "scm").await.unwrap();
        calls.until(3).await;
        bus.react("side.one", &()).context("p1", "scm").await.unwrap();
        calls.until(6).await;
        assert_eq!(calls.all()[3..], ["alone", "alone", "alone"]);
        bus.shutdown().await;
    }
}
