//! What methods register, seen from a crate under the strictest lints.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unused, unreachable_pub, unused_qualifications, clippy::pedantic)]

use std::sync::Arc;

use bus_runtime::prelude::*;
use bus_runtime::testing::TestBus;
use bus_runtime::{HandlerRegistration, Subject};

/// The place of the attribute of `Wiki::auditor`.
const AUDITOR_LINE: u32 = line!() + 9;

/// A wiki.
struct Wiki {
    mount_point: String,
}

#[controller("wiki")]
impl Wiki {
    #[audit("wiki.#", "wikis.#")]
    #[audit("scm.#", timeout = 3)]
    async fn auditor(&self, key: RoutingKey) -> Result<(), BoxError> {
        if key.is_empty() { Err(self.mount_point.clone().into()) } else { Ok(()) }
    }

    #[react("wiki.{page}.saved", group = "pages")]
    async fn shared(self: Arc<Self>, page: u64) -> Outcome {
        if page == 0 && self.mount_point.is_empty() { reject("no page") } else { ack() }
    }

    #[react("wiki.#")]
    fn plain(&self, key: RoutingKey) -> usize_outcome::Fine {
        self.helper(&key);
        usize_outcome::Fine
    }

    #[cfg_attr(not(windows), react("unix.#"), inline)]
    #[cfg_attr(windows, react("windows.#"))]
    #[allow(clippy::allow_attributes, reason = "another attribute")]
    async fn here() -> Outcome {
        ack()
    }

    #[cfg(any())]
    #[react("gone.#")]
    async fn gone(&self, nothing: NoSuchType) {}

    #[react("delivery")]
    async fn delivery(&self, delivery: RoutingKey, instance: Context, arguments: Headers) {
        drop((delivery, instance, arguments));
    }

    #[react("raw")]
    async fn r#match(&self, own: Json<serde_json::Value>) {
        drop(own);
    }

    fn helper(&self, key: &RoutingKey) -> usize {
        self.mount_point.len() + key.len()
    }
}

#[cfg(any())]
#[controller]
impl NoSuchType {
    #[react("gone.#")]
    async fn gone() {}
}

#[controller]
#[cfg(any())]
impl NoSuchType {
    #[react("gone.#")]
    async fn gone_too() {}
}

/// A result of its own.
mod usize_outcome {
    use super::{Outcome, ack};

    /// It went well.
    pub(super) struct Fine;

    impl bus_runtime::IntoOutcome for Fine {
        fn into_outcome(self) -> Outcome {
            ack()
        }
    }
}

/// One generic type under two names.
mod generic {
    use super::{RoutingKey, controller, react};

    pub(super) struct Pages<T>(pub(super) T);

    pub(super) struct Markdown;

    pub(super) struct Rst;

    type MarkdownPages = Pages<Markdown>;
    type RstPages = Pages<Rst>;

    #[controller]
    impl MarkdownPages {
        #[react("pages.#")]
        async fn on_markdown(&self, key: RoutingKey) {
            let Self(Markdown) = self;
            drop(key);
        }
    }

    #[controller]
    impl RstPages {
        #[react("pages.#")]
        async fn on_rst(&self, key: RoutingKey) {
            let Self(Rst) = self;
            drop(key);
        }
    }
}

/// A type by its path, in a block that a macro writes.
mod elsewhere {
    macro_rules! controllers {
        ($($type:ty => $method:ident),*) => {$(
            #[bus_runtime::controller]
            impl $type {
                #[bus_runtime::react("wiki.#")]
                async fn $method(&self) {}
            }
        )*};
    }

    controllers!(super::Wiki => of_a_macro);
}

fn methods() -> Vec<&'static HandlerRegistration> {
    let mut all: Vec<_> = HandlerRegistration::linked().collect();
    all.sort_by_key(|registration| (registration.id(), registration.place()));
    all
}

#[test]
fn each_attribute_of_a_method_registers_once() {
    let found: Vec<_> =
        methods().iter().map(|method| format!("{}::{}", method.id().module, method.id().name)).collect();
    let wanted = [
        "methods::Wiki::auditor",
        "methods::Wiki::auditor",
        "methods::Wiki::delivery",
        "methods::Wiki::here",
        "methods::Wiki::match",
        "methods::Wiki::plain",
        "methods::Wiki::shared",
        "methods::elsewhere::Wiki::of_a_macro",
        "methods::generic::MarkdownPages::on_markdown",
        "methods::generic::RstPages::on_rst",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn a_registration_is_located_at_its_attribute() {
    let auditors: Vec<_> =
        methods().into_iter().filter(|method| method.id().name == "Wiki::auditor").collect();
    let places: Vec<_> = auditors.iter().map(|auditor| auditor.place()).collect();
    assert!(places.iter().all(|place| place.file.ends_with("methods.rs")));
    let lines: Vec<_> = places.iter().map(|place| (place.line, place.column)).collect();
    assert_eq!(lines, [(AUDITOR_LINE, 5), (AUDITOR_LINE + 1, 5)]);
    assert!(matches!(auditors[0].subject(), Subject::Audit(["wiki.#", "wikis.#"])));
    assert!(matches!(auditors[1].subject(), Subject::Audit(["scm.#"])));
    assert!(auditors[1].options().timeout.is_some());
}

#[test]
fn names_groups_and_queues_follow_the_type() {
    let pages = |app: bus_runtime::App| {
        app.instance(generic::Pages(generic::Markdown)).instance(generic::Pages(generic::Rst))
    };
    let app = pages(bus_runtime::app().instance(Wiki { mount_point: "wiki".into() }));
    let plan = app.plan().expect("the methods fit together");
    let found: Vec<_> =
        plan.handlers.iter().map(|entry| (entry.group.as_str(), entry.queue.as_str())).collect();
    let wanted = [
        ("wiki", "methods.Wiki.auditor.audit"),
        ("pages", "methods.Wiki.shared.react"),
        ("wiki", "methods.Wiki.plain.react"),
        ("wiki", "methods.Wiki.here.react"),
        ("wiki", "methods.Wiki.delivery.react"),
        ("wiki", "methods.Wiki.match.react"),
        ("Wiki", "methods.elsewhere.Wiki.of_a_macro.react"),
        ("MarkdownPages", "methods.generic.MarkdownPages.on_markdown.react"),
        ("RstPages", "methods.generic.RstPages.on_rst.react"),
    ];
    assert_eq!(found, wanted);
    assert_eq!(plan.handlers[0].keys.len(), 3, "stacked attributes share one queue");
}

#[tokio::test(start_paused = true)]
async fn a_test_asks_for_a_method_by_its_path() {
    let auditors = methods().into_iter().filter(|method| method.id().name == "Wiki::auditor");
    let app = auditors.fold(bus_runtime::app(), |app, auditor| app.register(*auditor));
    let bus = TestBus::start(app.instance(Wiki { mount_point: "wiki".into() })).await;
    bus.audit("wiki.home", &()).await;
    bus.settled().await;
    bus.handler(Wiki::auditor).called_once();
    bus.dead_letters().none();
}

#[tokio::test]
async fn a_method_can_be_called_by_itself() {
    let wiki = Arc::new(Wiki { mount_point: String::new() });
    let key = RoutingKey::new("wiki.home").expect("a routing key");
    assert!(wiki.auditor(key.clone()).await.is_ok());
    assert_eq!(wiki.helper(&key), 9);
    assert!(matches!(wiki.shared(0).await, Outcome::DeadLetter(..)));
    assert!(Wiki::here().await.is_success());
}
