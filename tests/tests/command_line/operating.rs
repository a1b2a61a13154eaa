//! Commands that look at a broker, and `call`, which needs none.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use bus_tests::arena::{Arena, rabbitmq};

use crate::Desk;

#[test]
fn call_calls_one_handler_without_a_broker() {
    // A broker that is not there: it is not asked.
    let desk = Desk::new().with("BROKER_URL", "amqp://127.0.0.1:1");
    let order = r#"{"id":7,"note":null,"lines":[{"article":"a","count":1}]}"#;
    let told = desk.json(&["call", "pack", order]);
    assert_eq!((&told["handled"], &told["handler"]), (&true.into(), &"desk::pack".into()));
    let told = desk.run(&["call", "pack", r#"{"id":7,"note":null,"lines":[]}"#]);
    assert_eq!(told.code, 1);
    assert!(told.out.starts_with("desk::pack has not handled order.placed: dead letter with the reason failed\n  order 7 has no lines"), "{told:?}");
    let told = desk.run(&["call", "pack", r#"{"id":"seven"}"#]);
    assert!(told.code == 1 && told.out.contains("the reason decode"), "{told:?}");
    assert_eq!(desk.run(&["call", "index", "1"]).code, 2, "which routing key?");
    assert_eq!(desk.run(&["call", "index", "1", "--key", "page.home.saved"]).code, 0);
    assert_eq!(desk.run(&["call", "index", "1", "--key", "page.home.deleted"]).code, 2);
    assert_eq!(desk.run(&["call", "pakc"]).code, 78);
}

#[test]
fn what_needs_a_broker_says_so() {
    let desk = Desk::new();
    for command in ["queues", "tail", "workers", "stats"] {
        let told = desk.run(&[command]);
        assert_eq!(told.code, 78, "{told:?}");
        assert!(told.err.starts_with("error[BUS0005]: "), "{told:?}");
    }
    let desk = Desk::new().with("BROKER_URL", "amqp://127.0.0.1:1");
    assert_eq!(desk.run(&["queues"]).code, 69);
    assert_eq!(desk.run(&["workers"]).code, 69);
    let told = desk.with("BUS_CONTROL", "off").run(&["workers"]);
    assert!(told.code == 78 && told.err.contains("switched off"), "{told:?}");
    let desk = Desk::new().with("BROKER_URL", "amqp://127.0.0.1:1");
    assert_eq!(desk.run(&["tail", "--where", "size>"]).code, 2);
}

/// The program in its corner of a broker.
async fn corner() -> Option<(Arena, Desk)> {
    let arena = rabbitmq().await?;
    let url = bus_tests::node::shared().await?.url().to_owned();
    let desk = Desk::new().with("BROKER_URL", url).with("DESK_PREFIX", arena.name("").to_string());
    Some((arena, desk))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_are_listed_shown_and_purged() {
    let Some((arena, desk)) = corner().await else { return };
    let told = desk.run(&["queues"]);
    assert!(told.code == 0 && told.out.contains("missing"), "{told:?}");
    assert_eq!(desk.run(&["setup"]).code, 0);
    for body in ["1", "2"] {
        assert_eq!(desk.run(&["publish", "page.home.saved", body, "-e", "react"]).code, 0);
    }
    arena.until_ready("pages", 2).await;
    let pages = arena.name("pages").to_string();
    let told = desk.json(&["queues"]);
    let item = told["items"].as_array().unwrap().iter().find(|item| item["name"] == *pages).unwrap();
    assert_eq!((&item["ready"], &item["consumers"]), (&2.into(), &0.into()));
    let told = desk.ok(&["queues", "show", &pages]);
    assert!(told.contains("ready         2\n") && told.contains("desk::index"), "{told}");
    // Without a terminal nobody can say yes.
    assert_eq!(desk.run(&["queues", "purge", &pages]).code, 2);
    assert_eq!(arena.ready("pages").await, 2);
    assert_eq!(desk.ok(&["queues", "purge", &pages, "--yes"]), "deleted 2 messages\n");
    arena.until_ready("pages", 0).await;
    let told = desk.run(&["queues", "show", "pagse"]);
    assert_eq!(told.code, 2, "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tail_shows_copies_and_takes_nothing() {
    let Some((arena, desk)) = corner().await else { return };
    assert_eq!(desk.run(&["setup"]).code, 0);
    let mut tail = desk
        .command(&["tail", "page.#", "-n", "1", "--body", "--where", "body~\"second\"", "-o", "jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It listens once it says so.
    let mut line = String::new();
    BufReader::new(tail.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("page.# on "), "{line}");
    for body in ["\"first\"", "\"second\""] {
        assert_eq!(desk.run(&["publish", "page.home.saved", body, "-e", "react"]).code, 0);
    }
    let output = tokio::task::spawn_blocking(move || tail.wait_with_output()).await.unwrap().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["key"], &told["body"]), (&"page.home.saved".into(), &"second".into()));
    assert_eq!(output.status.code(), Some(0));
    arena.until_ready("pages", 2).await;
}
