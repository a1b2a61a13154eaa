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
pub(crate) async fn corner() -> Option<(Arena, Desk)> {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_requested_and_replied_to() {
    // The handlers run in the process of the command, where there is no broker.
    let desk = Desk::new();
    let told = desk.run(&["request", "Sum", r#"{"left":1,"right":2}"#]);
    assert_eq!((told.code, told.out.as_str()), (0, "3\n"), "{told:?}");
    let told = desk.run(&["request", "sum", r#"{"left":9223372036854775807,"right":2}"#]);
    assert_eq!((told.code, told.out.as_str()), (1, ""));
    assert!(told.err.contains("error[BUS0211]") && told.err.contains("that is too much"), "{told:?}");
    let told = desk.run(&["request", "Sun", "{}"]);
    assert!(told.code == 2 && told.err.contains("knows no command `Sun`; did you mean Sum?"), "{told:?}");
    let told = desk.run(&["request", "OrderPlaced", "{}"]);
    assert!(
        told.code == 2 && told.err.contains("`OrderPlaced` is an event that nobody replies to"),
        "{told:?}"
    );
    let away = Desk::new().with("BROKER_URL", "amqp://127.0.0.1:1");
    assert_eq!(away.run(&["request", "Sum", r#"{"left":1,"right":2}"#]).code, 69);

    let Some((_arena, desk)) = corner().await else { return };
    assert_eq!(desk.run(&["setup"]).code, 0);
    let told = desk.run(&["request", "Sum", r#"{"left":1,"right":2}"#, "--timeout", "200ms"]);
    assert!(told.code == 69 && told.err.contains("error[BUS0115]"), "nobody runs: {told:?}");
    let mut worker = desk.command(&["run", "--http", "off"]).stderr(Stdio::piped()).spawn().unwrap();
    let told = desk.json(&["request", "Sum", r#"{"left":20,"right":22}"#]);
    assert_eq!((&told["schema"], &told["reply"]), (&"bus.request/1".into(), &42.into()));
    let told = desk.run(&["request", "Sum", r#"{"left":9223372036854775807,"right":2}"#]);
    assert!(told.code == 1 && told.err.contains("that is too much"), "{told:?}");
    worker.kill().unwrap();
    worker.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bench_measures_and_leaves_nothing_behind() {
    let measured = |desk: &Desk| {
        let told =
            desk.json(&["bench", "-n", "200", "--size", "64", "--concurrency", "8", "--progress", "none"]);
        assert_eq!(told["schema"], "bus.bench/1");
        for (item, what) in told["items"].as_array().unwrap().iter().zip(["publish", "consume"]) {
            assert_eq!((&item["what"], &item["messages"]), (&what.into(), &200.into()), "{told:#}");
            let times = ["p50", "p95", "p99", "max"].map(|name| item[name].as_f64().unwrap());
            assert!(times[0] > 0.0 && times.is_sorted(), "{told:#}");
        }
    };
    measured(&Desk::new());
    let Some((arena, desk)) = corner().await else { return };
    measured(&desk);
    // One that is stopped says how far it was, and removes its queue, too.
    let mut stopped = desk.command(&["bench", "-n", "10000000", "-o", "json", "--progress", "json"]);
    let mut stopped = stopped.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(stopped.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let progress: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&progress["schema"], &progress["total"]), (&"bus.progress/1".into(), &10_000_000.into()));
    let pid = stopped.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = tokio::task::spawn_blocking(move || stopped.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(told["items"][1]["messages"].as_u64().unwrap() > 0, "{told:#}");
    let queue = bus_runtime::QueueName::new(told["queue"].as_str().unwrap()).unwrap();
    assert_eq!(arena.transport().inspect(&queue).await.unwrap(), None);
}

/// The line of a log with this text, of a program that runs.
fn line_of(stderr: &mut impl BufRead, text: &str) -> serde_json::Value {
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "the program has ended without {text}");
    }
    serde_json::from_str(&line).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_is_paused_and_goes_on() {
    let Some((arena, desk)) = corner().await else { return };
    let desk = desk.with("BUS_HTTP_TOKEN", "s3cret");
    let mut worker = desk.command(&["run", "--http", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
    let ready = line_of(&mut BufReader::new(worker.stderr.take().unwrap()), "\"ready\"");
    let http = ready["http"].as_str().unwrap().to_owned();
    let pages = arena.name("pages");
    let stranger = corner().await.unwrap().1.with("DESK_PREFIX", arena.name("").to_string());
    let told = stranger.run(&["queues", "pause", &pages, "--http", &http]);
    assert!(told.code == 77 && told.err.contains("BUS_HTTP_TOKEN"), "{told:?}");
    let told = desk.json(&["queues", "pause", &pages, "--http", &http]);
    assert_eq!((&told["schema"], &told["paused"]), (&"bus.queue-state/1".into(), &true.into()));
    let consumers = async || arena.transport().inspect(&pages).await.unwrap().unwrap().consumers;
    while consumers().await > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(desk.run(&["publish", "page.home.saved", "1", "-e", "react"]).code, 0);
    arena.until_ready("pages", 1).await;
    let told = desk.ok(&["queues", "resume", &pages, "--http", &http]);
    assert_eq!(told, format!("{pages} goes on\n"));
    arena.until_ready("pages", 0).await;
    assert_eq!(desk.run(&["queues", "pause", "pagse", "--http", &http]).code, 2);
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert_eq!(desk.run(&["queues", "pause", &pages, "--http", &http]).code, 69);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dashboard_alone_shows_and_takes_nothing() {
    assert_eq!(Desk::new().run(&["dashboard"]).code, 78, "there is nothing to show");
    let Some((arena, desk)) = corner().await else { return };
    assert_eq!(desk.run(&["setup"]).code, 0);
    assert_eq!(desk.run(&["publish", "page.home.saved", "1", "-e", "react"]).code, 0);
    let mut shown =
        desk.command(&["dashboard", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(shown.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.strip_prefix("dashboard at http://").and_then(|rest| rest.split_once(": ")).unwrap().0;
    let (_, queues) = bus_tests::http::get(address.parse().unwrap(), "/api/v1/queues").await;
    let pages = arena.name("pages");
    let queue =
        queues["items"].as_array().unwrap().iter().find(|queue| queue["name"] == pages.as_str()).unwrap();
    assert_eq!((&queue["ready"], &queue["consumers"]), (&1.into(), &0.into()));
    assert_eq!(arena.ready("pages").await, 1);
    let pid = shown.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(shown.wait().unwrap().code(), Some(0));
}
