//! Application classes: methods that are called for instances.

use std::sync::Arc;

use bus_runtime::ErrorKind;
use bus_runtime::prelude::*;
use bus_tests::arena::{Arena, Calls};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::installed::{Installed, dead_letters};

pub(crate) mod c1_an_audit_method_is_called_for_its_instance {
    use super::*;

    struct Wiki(&'static str);

    #[controller("wiki")]
    impl Wiki {
        #[audit("c1.#")]
        async fn auditor(&self, key: RoutingKey, data: Json, calls: State<Calls>) {
            calls.add(format!("{} {key} {}", self.0, data["text"]));
        }
    }

    installed!(Wiki);

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let places = [("p1", "wiki"), ("p1", "docs"), ("p2", "wiki")];
        let app = arena.app(module_path!()).state(calls.clone());
        let bus = app.state(Installed::new(&places, Wiki)).start().await.unwrap();
        let handler = &bus.plan().handlers[0];
        assert!(handler.name.ends_with("c1_an_audit_method_is_called_for_its_instance::Wiki::auditor"));
        assert_eq!(handler.group, "wiki");
        assert!(handler.queue.ends_with(".Wiki.auditor.audit"), "{}", handler.queue);

        bus.audit("c1.body", &json!({ "project_id": "p1", "mount_point": "docs", "text": 1 })).await.unwrap();
        bus.audit("c1.headers", &json!({ "text": 2 })).context("p2", "wiki").await.unwrap();
        bus.audit("c1.none", &json!({ "text": 3 })).context("p2", "docs").await.unwrap();
        bus.audit("c1.nowhere", &json!({ "text": 4 })).await.unwrap();
        let letters = dead_letters(&arena, &bus, 2).await;
        calls.until(2).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["docs c1.body 1", "wiki c1.headers 2"]);
        let mut errors = Vec::new();
        for letter in &letters {
            assert_eq!(letter.headers.text("bus-reason"), Some("no_instance"));
            errors.push(letter.headers.text("bus-error").unwrap().to_owned());
        }
        errors.sort();
        assert_eq!(
            errors,
            [
                "there is no Wiki at project (none), mount point (none)",
                "there is no Wiki at project p2, mount point docs"
            ]
        );
        assert_eq!(bus.stats().handlers[0].dead_lettered, 2);
        bus.shutdown().await;
    }
}

pub(crate) mod c2_a_react_method_is_called_for_every_instance {
    use super::*;

    struct Wiki(&'static str);

    #[controller]
    impl Wiki {
        #[react("c2.#")]
        async fn reactor(self: Arc<Self>, calls: State<Calls>) -> Result<(), BoxError> {
            calls.add(format!("reactor {}", self.0));
            if self.0 == "a" { Err("not a".into()) } else { Ok(()) }
        }

        #[react("c2.#")]
        async fn once(calls: State<Calls>) {
            calls.add("once");
        }
    }

    installed!(Wiki);

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let places = [("p1", "a"), ("p1", "b"), ("p1", "c"), ("p2", "d")];
        let app = arena.app(module_path!()).state(calls.clone());
        let bus = app.state(Installed::new(&places, Wiki)).start().await.unwrap();
        assert!(bus.plan().handlers.iter().all(|handler| handler.group == "Wiki"));
        bus.react("c2.x", &()).context("p1", "scm").await.unwrap();
        calls.until(4).await;
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["once", "reactor a", "reactor b", "reactor c"]);
        let reactor = bus.stats().handlers.remove(0);
        assert_eq!((reactor.called, reactor.failed), (3, 1), "{reactor:?}");
        // The message that waits for its next attempt would fail again.
        drop(bus);
    }
}

pub(crate) mod c3_without_a_project {
    use super::*;

    struct Wiki(&'static str);

    #[controller]
    impl Wiki {
        #[audit("c3.audit")]
        async fn auditor(&self, calls: State<Calls>) {
            calls.add(format!("auditor {}", self.0));
        }

        #[react("c3.react")]
        async fn reactor(&self, calls: State<Calls>) {
            calls.add(format!("reactor {}", self.0));
        }

        #[react("c3.react")]
        async fn once(context: Context, calls: State<Calls>) {
            calls.add(format!("once {:?}", context.project_id()));
        }
    }

    impl Instances for Wiki {
        async fn at(ctx: &Context) -> Result<Option<Arc<Self>>, BoxError> {
            Ok(ctx.project_id().is_none().then(|| Arc::new(Self("of nobody"))))
        }

        async fn all(_ctx: &Context) -> Result<Vec<Arc<Self>>, BoxError> {
            Ok(Vec::new())
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.audit("c3.audit", &()).await.unwrap();
        bus.react("c3.react", &()).await.unwrap();
        bus.react("c3.react", &json!({ "project_id": "empty" })).await.unwrap();
        calls.until(3).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["auditor of nobody", "once None", "once Some(\"empty\")"]);
        let skipped: Vec<_> = bus.stats().handlers.iter().map(|handler| handler.no_context).collect();
        assert_eq!(skipped, [0, 1, 0]);
        for queue in &bus.plan().queues {
            let dead = queue.dead.trim_start_matches(arena.name("").as_str());
            assert_eq!(arena.ready(dead).await, 0, "it is acknowledged");
        }
        bus.shutdown().await;
    }
}

pub(crate) mod c4_context_does_not_leak {
    use super::*;

    struct Wiki;

    #[controller]
    impl Wiki {
        #[react("c4.start", on_error = "discard")]
        async fn start(&self, data: Json, bus: Publisher) -> Result<(), BoxError> {
            assert!(data["panic"].is_null(), "on purpose");
            bus.react("c4.next", &()).await?;
            Ok(())
        }

        #[react("c4.once", concurrency = 1, on_error = "discard")]
        async fn once(data: Json, bus: Publisher) -> Result<(), BoxError> {
            assert!(data["panic"].is_null(), "on purpose");
            bus.react("c4.next", &()).await?;
            Ok(())
        }
    }

    installed!(Wiki);

    #[react("c4.next")]
    async fn next(context: Context, calls: State<Calls>) {
        calls.add(format!("{:?} {:?}", context.project_id(), context.user_id()));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone());
        let bus = app.state(Installed::new(&[("p1", "a"), ("p2", "b")], |_| Wiki)).start().await.unwrap();
        for key in ["c4.once", "c4.start"] {
            bus.react(key, &json!({ "project_id": "p1", "user_id": "ann", "panic": true })).await.unwrap();
            bus.react(key, &json!({ "project_id": "p2" })).await.unwrap();
        }
        bus.react("c4.once", &json!({})).await.unwrap();
        calls.until(3).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["None None", "Some(\"p2\") None", "Some(\"p2\") None"]);
        bus.shutdown().await;
    }
}

pub(crate) mod c5_methods_publish_with_the_context {
    use super::*;

    struct Wiki(&'static str);

    #[controller]
    impl Wiki {
        #[react("c5m.start")]
        async fn start(&self, bus: Publisher) -> Result<(), BoxError> {
            bus.react("c5m.next", &self.0).await?;
            Ok(())
        }
    }

    installed!(Wiki);

    #[react("c5m.next")]
    async fn next(data: Json<String>, context: Context, id: bus_runtime::MessageId, calls: State<Calls>) {
        calls.add(format!("{} {:?} {:?}", *data, context.project_id(), context.user_id()));
        calls.add(id.0);
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone());
        let bus = app.state(Installed::new(&[("p1", "a"), ("p1", "b")], Wiki)).start().await.unwrap();
        bus.react("c5m.start", &json!({ "project_id": "p1", "user_id": "ann" })).await.unwrap();
        calls.until(4).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 4, "each instance publishes under ids of its own: {all:?}");
        for text in ["a Some(\"p1\") Some(\"ann\")", "b Some(\"p1\") Some(\"ann\")"] {
            assert!(all.iter().any(|call| call == text), "{all:?}");
        }
        bus.shutdown().await;
    }
}

pub(crate) mod messages_have_methods {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[event("methods.saved")]
    struct Saved;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[task("methods.save")]
    struct Save;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("methods.count", reply = usize)]
    struct Count {
        project_id: String,
        mount_point: String,
    }

    struct Wiki(&'static str);

    #[controller]
    impl Wiki {
        #[message_handler(Saved)]
        async fn saved(&self, _event: Saved, calls: State<Calls>) {
            calls.add(format!("saved {}", self.0));
        }

        #[message_handler(Save)]
        fn save(&self, _task: Save, calls: State<Calls>) {
            calls.add(format!("save {}", self.0));
        }

        #[message_handler(Count)]
        async fn count(&self, _command: Count) -> Result<usize, BoxError> {
            Ok(self.0.len())
        }
    }

    installed!(Wiki);

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone());
        let bus = app.state(Installed::new(&[("p", "wiki"), ("p", "docs2")], Wiki)).start().await.unwrap();
        bus.publish(&Saved).context("p", "wiki").await.unwrap();
        bus.publish(&Save).context("p", "wiki").await.unwrap();
        let count = Count { project_id: "p".into(), mount_point: "docs2".into() };
        assert_eq!(bus.execute(count).await.unwrap(), 5);
        calls.until(3).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["save wiki", "saved docs2", "saved wiki"]);
        bus.shutdown().await;
    }
}

pub(crate) mod a_singleton_is_called_for_every_project {
    use super::*;

    struct Wiki {
        calls: Calls,
    }

    #[controller("main")]
    impl Wiki {
        #[audit("single.#")]
        #[react("single.#", group = "own")]
        async fn on(&self, context: Context) {
            self.calls.add(format!("{:?}", context.project_id()));
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).instance(Wiki { calls: calls.clone() });
        let bus = app.start().await.unwrap();
        let groups: Vec<_> = bus.plan().handlers.iter().map(|handler| handler.group.as_str()).collect();
        assert_eq!(groups, ["main", "own"]);
        bus.audit("single.x", &()).await.unwrap();
        bus.react("single.x", &()).context("p1", "wiki").await.unwrap();
        calls.until(2).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["None", "Some(\"p1\")"]);
        bus.shutdown().await;
    }
}

pub(crate) mod two_controllers_of_one_type_have_their_own_queues {
    use super::*;

    struct Wiki;

    #[controller]
    impl Wiki {
        #[react("twins.#")]
        async fn here(&self, calls: State<Calls>) {
            calls.add("one block");
        }
    }

    #[controller]
    impl Wiki {
        #[react("twins.#")]
        async fn there(&self, calls: State<Calls>) {
            calls.add("another block");
        }
    }

    mod elsewhere {
        use super::*;

        /// Of the same name.
        pub(super) struct Wiki;

        #[controller]
        impl Wiki {
            #[react("twins.#")]
            async fn here(&self, calls: State<Calls>) {
                calls.add("another module");
            }
        }

        pub(super) const MODULE: &str = module_path!();
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!());
        let of_module = bus_runtime::HandlerRegistration::linked()
            .filter(|registration| registration.id().module == elsewhere::MODULE);
        let app = of_module.fold(app, |app, registration| app.register(*registration));
        let app = app.state(calls.clone()).instance(Wiki).instance(elsewhere::Wiki);
        let bus = app.start().await.unwrap();
        assert_eq!(bus.plan().queues.len(), 3);
        bus.react("twins.x", &()).await.unwrap();
        calls.until(3).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["another block", "another module", "one block"]);
        bus.shutdown().await;
    }
}

pub(crate) mod every_mistake_is_a_start_up_error {
    use super::*;

    struct Single;

    #[controller]
    impl Single {
        #[react("mistake.#")]
        async fn on(&self) {}
    }

    struct Many;

    #[controller]
    impl Many {
        #[react("mistake.#")]
        async fn on(&self) {}
    }

    installed!(Many);

    pub(crate) async fn run(arena: Arena) {
        let app = || arena.app(module_path!()).state(Installed::<Many>::new(&[], |_| Many));
        let table = [
            (app(), "Single::on takes `&self`, and there is no instance of"),
            (app().instance(Single).instance(Single), "is given two instances of"),
            (app().instance(Single).instance(Many), "Many, which finds its instances itself"),
            (app().instance(Single).instance(7_u8), "an instance of u8, and no handler is a method of it"),
        ];
        for (app, text) in table {
            let error = app.start().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Instance);
            assert!(error.to_string().contains(text), "{error}");
            assert!(error.help().is_some());
        }
        app().instance(Single).start().await.unwrap().shutdown().await;
    }
}
