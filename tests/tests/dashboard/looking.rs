//! What the pages show.

use bus_tests::arena::{Arena, until};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::rig::Rig;

const PAGES: [&str; 13] = [
    "/docs",
    "/",
    "/live",
    "/failures",
    "/dead-letters",
    "/handlers",
    "/queues",
    "/topology",
    "/workers",
    "/route?key=page.home.saved",
    "/publish",
    "/config",
    "/audit-log",
];

pub(crate) async fn every_page_is_there_for_people_and_for_programs(arena: Arena) {
    let rig = Rig::start(arena).await;
    rig.bus.react("page.home.saved", &()).await.unwrap();
    rig.calls.until(1).await;
    for path in PAGES {
        let page = rig.page(path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        assert!(page.body.starts_with("<!DOCTYPE html>") && page.body.contains("<h1>"), "{path}");
        assert!(
            !page.body.contains(" style=") && !page.body.contains("<script>"),
            "the policy forbids both: {path}"
        );
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
        let document = rig.json(if path == "/" { "/overview" } else { path }).await;
        assert!(document["schema"].as_str().unwrap().starts_with("bus."), "{path}");
    }
    let handlers = rig.json("/handlers").await;
    let saved = handlers["items"].as_array().unwrap().iter().find(|one| one["kind"] == "react").unwrap();
    assert_eq!(
        (saved["handled"].as_u64(), saved["bindings"][0].as_str()),
        (Some(1), Some("page.{name}.saved"))
    );
    let name = saved["name"].as_str().unwrap();
    assert_eq!(rig.page(&format!("/handlers/{name}")).await.status, 200);
    assert_eq!(rig.page(&format!("/queues/{}", saved["queue"].as_str().unwrap())).await.status, 200);
    let route = rig.json("/route?key=page.home").await;
    assert_eq!(route["receivers"][0]["binding"], "page.#");
    let near = &route["others"][0];
    assert_eq!(near["why"], "the binding key needs exactly 3 words, but the routing key has 2", "{near}");
    assert_eq!(rig.page("/nowhere").await.status, 404);
    for asset in ["style.css", "script.js", "icon.svg"] {
        assert_eq!(rig.page(&format!("/assets/{asset}")).await.status, 200);
    }
    rig.bus.shutdown().await;
}

pub(crate) async fn a_failure_is_found_and_explained(arena: Arena) {
    let rig = Rig::start(arena).await;
    for number in [1, 2] {
        rig.bus.react(format!("page.p{number}.saved"), &serde_json::json!({ "do": "fail" })).await.unwrap();
    }
    until("both are dead letters", || rig.bus.stats().handlers.iter().any(|one| one.dead_lettered == 2))
        .await;
    // Two messages with two attempts each, which failed alike.
    let failures = rig.json("/failures").await;
    let [group] = failures["items"].as_array().unwrap().as_slice() else { panic!("{failures}") };
    assert_eq!((group["count"].as_u64(), group["messages"].as_u64()), (Some(4), Some(2)), "{group}");
    let letters = rig.json("/dead-letters").await;
    assert_eq!(letters["groups"][0]["count"], 2, "{letters}");
    let id = letters["letters"][0]["id"].as_str().unwrap();
    let letter = rig.json(&format!("/dead-letters/{id}")).await;
    assert!(letter["story"][0].as_str().unwrap().ends_with("failed in all 2 attempts."), "{letter}");
    assert!(letter["rust_test"].as_str().unwrap().contains("r#\"{\"do\":\"fail\"}\"#"), "{letter}");
    let page = rig.page(&format!("/dead-letters/{id}")).await;
    assert!(page.body.contains("no room for p"), "{}", page.body);
    let number = &group["example"]["number"];
    let message = rig.json(&format!("/messages/{number}")).await;
    assert_eq!(message["outcome"], "dead_letter", "{message}");
    assert_eq!(message["related"][0]["outcome"], "retried", "{message}");
    rig.bus.shutdown().await;
}

pub(crate) async fn whatever_a_message_says_stays_text(arena: Arena) {
    let rig = Rig::start(arena).await;
    let hostile = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>";
    let body = serde_json::json!({ "do": "fail", hostile: hostile });
    rig.bus
        .react(format!("page.{hostile}.saved").replace(' ', "_"), &body)
        .header(hostile, hostile)
        .await
        .unwrap();
    let letter = rig.letter().await;
    let numbers = rig.json("/live").await;
    let number = &numbers["items"][0]["number"];
    let id = letter["id"].as_str().unwrap();
    let pages = [
        "/".to_owned(),
        "/live".to_owned(),
        "/failures".to_owned(),
        "/dead-letters".to_owned(),
        format!("/dead-letters/{id}"),
        format!("/messages/{number}"),
        format!("/route?key={}", "%3Cscript%3E"),
        "/dead-letters?where=error~%22%3Cscript%3E%22".to_owned(),
    ];
    for path in pages {
        let page = rig.page(&path).await;
        assert!(!page.body.contains("<script>") && !page.body.contains("<img"), "{path}: {}", page.body);
    }
    rig.bus.shutdown().await;
}

pub(crate) async fn the_live_stream_tells_what_passes(arena: Arena) {
    let rig = Rig::start(arena).await;
    let stream = TcpStream::connect(rig.at).await.unwrap();
    let (reading, mut writing) = stream.into_split();
    let path = "/api/v1/events?topics=stats,messages&where=outcome!%3Dhandled";
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", rig.at);
    writing.write_all(request.as_bytes()).await.unwrap();
    let mut lines = BufReader::new(reading).lines();
    while !lines.next_line().await.unwrap().unwrap().contains("hello") {}
    rig.bus.react("page.good.saved", &()).await.unwrap();
    rig.bus.react("page.bad.saved", &serde_json::json!({ "do": "fail" })).await.unwrap();
    let (mut stats, mut first) = (false, None);
    while !stats || first.is_none() {
        let line = lines.next_line().await.unwrap().unwrap();
        stats |= line.contains("\"in_flight\"");
        if let Some(data) = line.strip_prefix("data: ").filter(|data| data.contains("routing_key")) {
            first.get_or_insert(serde_json::from_str::<serde_json::Value>(data).unwrap());
        }
    }
    let first = first.unwrap();
    assert_eq!(
        (first["routing_key"].as_str(), first["outcome"].as_str()),
        (Some("page.bad.saved"), Some("retried"))
    );
    rig.bus.shutdown().await;
}
