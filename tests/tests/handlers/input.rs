//! What handlers are given, and what never reaches them.

use bus_runtime::prelude::*;
use bus_tests::arena::{Arena, Calls};
use serde::{Deserialize, Serialize};

pub(crate) mod r8_what_cannot_be_decoded_is_dead_at_once {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[event("r8.page")]
    struct Page {
        author: Author,
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Author {
        id: u64,
    }

    #[message_handler(Page)]
    async fn on_page(page: Page, calls: State<Calls>) {
        calls.add(page.author.id);
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let messages = arena.name("messages").to_string();
        let bodies: [&[u8]; 6] = [
            b"\xff\xfe",
            b"{not json",
            br#"{"author":{"id":"42"}}"#,
            b"",
            b"[[[[",
            b"{\"author\":{\"id\":1}} and more",
        ];
        for body in bodies {
            bus.publish_raw(&messages, "r8.page", body.to_vec()).await.unwrap();
        }
        let other = bus.publish_raw(&messages, "r8.page", br#"{"author":{"id":1}}"#.to_vec());
        other.message_type("somebody.else").await.unwrap();
        let other = bus.publish_raw(&messages, "r8.page", br#"{"author":{"id":1}}"#.to_vec());
        other.content_type("image/png").await.unwrap();
        bus.publish(&Page { author: Author { id: 7 } }).await.unwrap();

        let dead = bus.plan().queues[0].dead.trim_start_matches(arena.name("").as_str()).to_owned();
        arena.until_ready(&dead, 8).await;
        bus.settled().await.unwrap();
        assert_eq!(calls.all(), ["7"]);
        let letters = arena.take(&dead).await;
        let reasons: Vec<_> = letters.iter().filter_map(|letter| letter.headers.text("bus-reason")).collect();
        assert_eq!(reasons.iter().filter(|reason| **reason == "decode").count(), 7, "{reasons:?}");
        assert_eq!(reasons.iter().filter(|reason| **reason == "unknown_type").count(), 1);
        let errors: Vec<_> = letters.iter().filter_map(|letter| letter.headers.text("bus-error")).collect();
        let wrong_shape = errors.iter().find(|error| error.contains("author.id")).expect("names the place");
        assert!(wrong_shape.contains("expected u64") && wrong_shape.contains("Page"), "{wrong_shape}");
        bus.shutdown().await;
    }
}

pub(crate) mod captured_words_are_typed {
    use super::*;

    #[react("ticket.{number}.{action}")]
    async fn on_ticket(action: String, number: u32, calls: State<Calls>) {
        calls.add(format!("{action} {number}"));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("ticket.12.closed", &()).await.unwrap();
        bus.react("ticket.twelve.closed", &()).await.unwrap();
        let dead = bus.plan().queues[0].dead.trim_start_matches(arena.name("").as_str()).to_owned();
        arena.until_ready(&dead, 1).await;
        calls.until(1).await;
        assert_eq!(calls.all(), ["closed 12"]);
        let letter = arena.take(&dead).await.remove(0);
        assert_eq!(letter.headers.text("bus-reason"), Some("routing"));
        assert!(letter.headers.text("bus-error").unwrap().contains("`twelve`"));
        bus.shutdown().await;
    }
}

pub(crate) mod arguments_of_all_kinds {
    use super::*;
    use bus_runtime::{Attempt, CorrelationId, MessageId, Redelivered, Rejection, Timestamp};

    #[derive(Serialize, Deserialize)]
    struct Edit {
        title: String,
    }

    #[react("args.#")]
    #[expect(clippy::too_many_arguments, reason = "there is no limit")]
    async fn all(
        key: RoutingKey,
        Json(edit): Json<Edit>,
        raw: Bytes,
        headers: Headers,
        id: MessageId,
        correlation: Option<CorrelationId>,
        when: Timestamp,
        attempt: Attempt,
        redelivered: Redelivered,
        context: Context,
        wrong: Result<Json<u32>, Rejection>,
        calls: State<Calls>,
    ) {
        calls.add(format!(
            "{key} {} {} {} {} {} {} {attempt} {} {:?} {:?} {}",
            edit.title,
            raw.len(),
            headers.text("h").unwrap_or_default(),
            !id.0.is_empty(),
            correlation.is_none(),
            when.0.elapsed().is_ok_and(|ago| ago.as_secs() < 60),
            redelivered.0,
            context.project_id(),
            context.user_id(),
            wrong.is_err(),
        ));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let body = serde_json::json!({ "title": "Home", "user_id": "ann" });
        bus.react("args.x", &body).header("h", "v").context("p1", "wiki").await.unwrap();
        calls.until(1).await;
        let length = body.to_string().len();
        assert_eq!(
            calls.all(),
            [format!("args.x Home {length} v true true true 1 false Some(\"p1\") Some(\"ann\") true")]
        );
        bus.shutdown().await;
    }
}

pub(crate) mod headers_too_large_are_dead_as_they_are {
    use super::*;

    #[react("bomb.#")]
    async fn never(calls: State<Calls>) {
        calls.add("called");
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("bomb.x", &1).header("bomb", "x".repeat(70 << 10)).await.unwrap();
        let dead = bus.plan().queues[0].dead.trim_start_matches(arena.name("").as_str()).to_owned();
        arena.until_ready(&dead, 1).await;
        assert_eq!(calls.count(), 0);
        let letter = arena.take(&dead).await.remove(0);
        assert_eq!(&letter.body[..], b"1");
        assert!(letter.headers.get("x-death").is_some());
        bus.shutdown().await;
    }
}
