//! What scripts rely on: exit codes, and one form of JSON for every table.

use std::process::Command;

use serde_json::Value;

use crate::Desk;
use crate::operating::corner;

/// The exit code of each kind of end, once. The one of a benchmark that is stopped, 3, needs a signal: see
/// `bench_measures_and_leaves_nothing_behind`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_codes_are_those_of_the_table() {
    let away = || Desk::new().with("BROKER_URL", "amqp://127.0.0.1:1");
    let table: [(i32, Desk, &[&str]); 9] = [
        (0, Desk::new(), &["handlers"]),
        (0, away(), &["handlers"]),
        (1, Desk::new(), &["call", "pack", r#"{"id":7,"note":null,"lines":[]}"#]),
        (2, Desk::new(), &["handlers", "--no-such-option"]),
        (2, Desk::new(), &["publish", "page.home.saved", "not JSON"]),
        (69, away(), &["queues"]),
        (70, Desk::new().with("DESK_NESTED", "1"), &["run", "--http", "off"]),
        (78, Desk::new(), &["-b", "localhost:5672", "handlers"]),
        (78, Desk::new().with("BUS_REQUIRE_BROKER", "1"), &["run", "--http", "off"]),
    ];
    for (code, desk, arguments) in table {
        let told = desk.run(arguments);
        assert_eq!(told.code, code, "{arguments:?}: {told:?}");
        assert!(told.err.is_empty() == (code == 0) || code == 1, "{arguments:?}: {told:?}");
    }
    let Some((arena, desk)) = corner().await else { return };
    // A message whose handler does not end goes back when the time is over.
    assert_eq!(desk.run(&["setup"]).code, 0);
    assert_eq!(desk.run(&["publish", "page.slow.saved", "1", "-e", "react"]).code, 0);
    arena.until_ready("pages", 1).await;
    let told = desk.run(&["run", "--max-messages", "1", "--shutdown-grace", "0", "--http", "off"]);
    assert_eq!(told.code, 75, "{told:?}");
    arena.until_ready("pages", 1).await;
    let url = bus_tests::node::shared().await.unwrap().url().to_owned();
    let login = url.split_once("://").unwrap().1.split_once('@').unwrap().0.to_owned();
    let refused = Desk::new().with("BROKER_URL", url.replace(&login, "nobody:wrong"));
    assert_eq!(refused.run(&["queues"]).code, 77);
    let missing = desk.run(&["queues", "show", &arena.name("desk.sum.sum.dead")]);
    assert_eq!(missing.code, 0, "{missing:?}");
}

/// Every command that prints a table, and the least number of items that it has here.
fn every_table(desk: &Desk, tables: &[(&[&str], usize)]) {
    for (arguments, least) in tables {
        let run = |format: &str| desk.run(&[arguments, &["-o", format][..]].concat());
        let told = run("json");
        assert!([0, 1].contains(&told.code), "{arguments:?}: {told:?}");
        let document: Value = serde_json::from_str(&told.out).unwrap();
        let schema = document["schema"].as_str().unwrap();
        assert!(schema.starts_with("bus.") && schema.ends_with("/1"), "{arguments:?}: {schema}");
        let items = document["items"].as_array().unwrap_or_else(|| panic!("{arguments:?}: {document:#}"));
        assert!(items.len() >= *least && items.iter().all(Value::is_object), "{arguments:?}: {document:#}");
        let lines = run("jsonl").out;
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), items.len(), "{arguments:?}");
        let keys = |item: &Value| item.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert!(lines.iter().zip(items).all(|(line, item)| keys(line) == keys(item)), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_is_a_document_with_a_schema_and_items() {
    every_table(
        &Desk::new(),
        &[
            (&["handlers"], 4),
            (&["handlers", "explain", "page.home.saved"], 4),
            (&["describe"], 4),
            (&["config", "show"], 20),
            (&["explain"], 50),
            (&["check"], 0),
            (&["doctor"], 2),
            (&["bench", "-n", "10"], 2),
        ],
    );
    let Some((arena, desk)) = corner().await else { return };
    every_table(&desk, &[(&["topology", "diff"], 1)]);
    assert_eq!(desk.run(&["setup"]).code, 0);
    let told = desk.run(&[
        "publish",
        "page.home.saved",
        "null",
        "-e",
        "react",
        "--count",
        "3",
        "--progress",
        "json",
    ]);
    assert_eq!(told.code, 0, "{told:?}");
    arena.until_ready("pages", 3).await;
    assert_eq!(desk.run(&["run", "--once", "--http", "off"]).code, 0);
    arena.until_ready("pages.dead", 3).await;
    every_table(
        &desk,
        &[
            (&["queues"], 3),
            (&["dlq", "ls"], 3),
            (&["dlq", "groups"], 1),
            (&["dlq", "stats"], 3),
            (&["topology", "diff"], 0),
        ],
    );
}

#[test]
fn columns_are_chosen_by_name() {
    let desk = Desk::new();
    let told = desk.ok(&["handlers", "--columns", "queue,handler", "--no-header"]);
    assert_eq!(
        told.lines().next().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["desk.pack.order.placed", "desk::pack"]
    );
    let told = desk.run(&["handlers", "--columns", "queu"]);
    assert_eq!(told.code, 2);
    assert!(told.err.starts_with("there is no column queu; there are binding, handler, "), "{told:?}");
    // What is no table has no columns.
    assert_eq!(desk.run(&["check", "--columns", "queu"]).code, 0);
}

#[test]
fn what_would_be_published_is_told_without_a_broker() {
    let away = Desk::new().with("BROKER_URL", "amqp://127.0.0.1:1");
    let told = away.ok(&["publish", "page.home.saved", "1", "-e", "react", "--dry-run"]);
    assert_eq!(told, "would publish page.home.saved on react\n  desk::index from pages\n");
    let told = Desk::new().run(&["publish", "page.home.saved", "1", "-e", "react", "--count", "5"]);
    assert!(
        told.out.contains("on react 5 times\n") && told.out.contains("desk::index: handled 5,"),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_for_later_waits() {
    let Some((arena, desk)) = corner().await else { return };
    assert_eq!(desk.run(&["setup"]).code, 0);
    assert_eq!(desk.run(&["publish", "page.home.saved", "1", "-e", "react", "--delay", "1h"]).code, 0);
    // 3600 s is binary 111000010000.
    arena.until_ready("bus.ladder.11", 1).await;
    assert_eq!(arena.ready("pages").await, 0);
}

#[test]
fn the_topology_is_exported_for_other_tools() {
    let desk = Desk::new();
    let told: Value =
        serde_json::from_str(&desk.ok(&["topology", "export", "--format", "terraform"])).unwrap();
    let of = |kind: &str| told["resource"][kind].as_object().unwrap().clone();
    let (exchanges, queues, bindings) =
        (of("rabbitmq_exchange"), of("rabbitmq_queue"), of("rabbitmq_binding"));
    let definitions: Value = serde_json::from_str(&desk.ok(&["topology", "export"])).unwrap();
    for (kind, count) in
        [("exchanges", exchanges.len()), ("queues", queues.len()), ("bindings", bindings.len())]
    {
        assert_eq!(definitions[kind].as_array().unwrap().len(), count, "{kind}");
    }
    let arguments = queues["b_pages"]["settings"][0]["arguments_json"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(arguments).unwrap()["x-queue-type"], "quorum");
    for binding in bindings.values() {
        for named in binding["depends_on"].as_array().unwrap() {
            let (kind, label) = named.as_str().unwrap().split_once('.').unwrap();
            assert!(of(kind).contains_key(label), "{named} is not there");
        }
    }
    let told = desk.ok(&["topology", "export", "--format", "k8s", "--cluster", "main"]);
    let objects: Vec<_> = told.split("---\n").collect();
    assert_eq!(objects.len(), exchanges.len() + queues.len() + bindings.len());
    assert!(
        objects.iter().all(|object| object.contains("apiVersion: ")
            && object.contains("rabbitmq.com/v1beta1")
            && object.contains("name: main")),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_no_handler_has_any_more_is_emptied_into_another() {
    use bus_runtime::topology::{Queue, QueueType, Topology};
    let Some((arena, desk)) = corner().await else { return };
    assert_eq!(desk.run(&["setup"]).code, 0);
    let names = ["old", "old.dead"].map(|name| Queue::durable(arena.name(name), QueueType::Quorum));
    let topology = Topology { queues: names.to_vec(), ..Topology::default() };
    arena.transport().declare(&topology).await.unwrap();
    for (queue, count) in [("old", "3"), ("old.dead", "2")] {
        let told = desk.run(&["publish", &arena.name(queue), "1", "-e", "", "--count", count]);
        // The default exchange has no prefix.
        assert_eq!(told.code, 0, "{told:?}");
        arena.until_ready(queue, count.parse().unwrap()).await;
    }
    let (old, pages) = (arena.name("old"), arena.name("pages"));
    assert_eq!(desk.run(&["topology", "migrate", &pages, "--to", &old]).code, 2, "a handler has it");
    assert_eq!(desk.run(&["topology", "migrate", &old, "--to", "pagse"]).code, 2);
    assert_eq!(desk.run(&["topology", "migrate", "nowhere", "--to", &pages]).code, 78);
    let told = desk.ok(&["topology", "migrate", &old, "--to", &pages, "--dry-run"]);
    assert_eq!(told, format!("would move 3 messages and 2 dead letters from {old} to {pages}\n"));
    let told = desk.json(&["topology", "migrate", &old, "--to", &pages]);
    assert_eq!((&told["messages"], &told["dead_letters"], &told["left"]), (&3.into(), &2.into(), &0.into()));
    arena.until_ready("pages", 3).await;
    arena.until_ready("pages.dead", 2).await;
    arena.until_ready("old", 0).await;
}

#[test]
fn help_names_what_all_commands_share_once() {
    let told = Desk::new().ok(&["run", "--help"]);
    let (own, shared) = told.split_once("Options of every command:").unwrap();
    for option in ["--max-messages", "--reload", "--http"] {
        assert!(own.contains(option) && !shared.contains(option), "{option}: {told}");
    }
    for option in ["--broker-url", "--output", "--columns", "--color", "--progress"] {
        assert!(shared.contains(option) && !own.contains(&format!("{option} ")), "{option}: {told}");
    }
    // A command is not taken for one that begins alike where nobody looks.
    assert_eq!(Desk::new().run(&["handl"]).code, 2);
    assert!(Command::new(env!("CARGO_BIN_EXE_desk")).arg("--help").output().unwrap().status.success());
}
