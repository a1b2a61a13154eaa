//! What the dashboard gives out and takes in: tests to copy, the document of the program, and forms of message types.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "clippy does not see that all of this is tests"
)]

use std::net::SocketAddr;

use bus_runtime::prelude::*;
use bus_runtime::{AdminPort, Bus};
use bus_tests::arena::{Arena, until};
use bus_tests::http::{get, request};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

// What is copied links the crate of its handler.
extern crate self as forms;

/// A test that somebody has copied: it compiles, and it holds.
#[allow(unused_imports, reason = "it stands beside its handlers here")]
mod handled {
    include!("forms/goldens/handled.rs");
}

#[react("page.{name}.saved")]
async fn save(name: String, body: Json) -> Result<(), BoxError> {
    match body["by"].as_str() {
        Some(_) => Ok(()),
        None => Err(format!("nobody has saved {name}").into()),
    }
}

/// Somebody likes a page.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema, Message)]
#[event("page.rated")]
struct Rated {
    /// Which page.
    page: String,
    stars: u8,
    again: Option<bool>,
    tags: Vec<String>,
}

#[message_handler(Rated, retry = "none")]
async fn rate(rated: Rated) -> Result<(), BoxError> {
    match (&*rated.page, rated.stars, rated.again, &*rated.tags.join(",")) {
        ("home", 4, None, "good,short") => Ok(()),
        _ => Err(format!("{rated:?}").into()),
    }
}

async fn start() -> (Bus, SocketAddr) {
    let arena = Arena::embedded();
    let mut config = arena.config();
    config.http = Some(AdminPort::parse("127.0.0.1:0").unwrap());
    config.http_access.show_bodies = Some(true);
    let bus = arena.app(module_path!()).config(config).start().await.unwrap();
    let at = bus.admin_address().unwrap();
    (bus, at)
}

async fn handled(bus: &Bus, count: u64) {
    until("it is handled", || bus.stats().handlers.iter().map(|one| one.handled).sum::<u64>() == count).await;
}

#[tokio::test]
async fn o8_what_is_copied_of_a_message_publishes_the_same_again() {
    let (bus, at) = start().await;
    let body = json!({ "by": "ann", "text": "a \"quoted\" word" });
    bus.react("page.home.saved", &body).await.unwrap();
    handled(&bus, 1).await;
    let (_, rows) = get(at, "/api/v1/live").await;
    let number = &rows["items"][0]["number"];
    let (_, message) = get(at, &format!("/api/v1/messages/{number}")).await;
    assert_eq!(message["rust_test"], include_str!("forms/goldens/handled.rs"), "{message}");
    let command = message["command"].as_str().unwrap();
    assert!(command.starts_with("test publish -e 'react' 'page.home.saved' '{\"by\":\"ann\""), "{command}");
    // The request is what curl would send.
    let curl = message["curl"].as_str().unwrap();
    let (_, data) = curl.split_once("-d '").unwrap();
    let data = data.trim_end().strip_suffix('\'').unwrap().replace("'\\''", "'");
    let headers = [("Content-Type", "application/json"), ("X-Bus-Client", "curl")];
    assert!(curl.contains(&format!("http://{at}/api/v1/publish")), "{curl}");
    let answer = request(at, "POST", "/api/v1/publish", &headers, &data).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    handled(&bus, 2).await;
    bus.shutdown().await;
}

#[tokio::test]
async fn o8_a_message_type_is_a_form() {
    let (bus, at) = start().await;
    let page = request(at, "GET", "/publish?key=page.rated", &[("Accept", "text/html")], "").await;
    for field in ["field.page", "field.stars", "field.again", "field.tags"] {
        assert!(page.body.contains(&format!("name=\"{field}\"")), "{field}: {}", page.body);
    }
    assert!(page.body.contains("Which page.") && page.body.contains("type=\"number\""), "{}", page.body);
    let form = |stars: &str| {
        json!({
            "exchange": "messages", "key": "page.rated", "typed": true,
            "field.page": "home", "field.stars": stars, "field.tags": "[\"good\", \"short\"]",
        })
    };
    let send = async |stars: &str| {
        let headers = [("Content-Type", "application/json"), ("X-Bus-Client", "test")];
        request(at, "POST", "/api/v1/publish", &headers, &form(stars).to_string()).await
    };
    let wrong = send("many").await;
    assert_eq!(wrong.status, 400, "{}", wrong.body);
    assert!(wrong.body.contains("`stars` is not a whole number"), "{}", wrong.body);
    let sent = send("4").await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    handled(&bus, 1).await;
    // The next form begins with what has passed.
    let (_, view) = get(at, "/api/v1/publish?key=page.rated").await;
    assert_eq!(view["example"], json!({ "page": "home", "stars": 4, "tags": ["good", "short"] }));
    bus.shutdown().await;
}

#[tokio::test]
async fn o8_the_document_of_the_program_is_shown_and_downloaded() {
    let (bus, at) = start().await;
    let page = request(at, "GET", "/docs", &[("Accept", "text/html")], "").await;
    for text in ["page.{name}.saved", "page.rated", "Somebody likes a page.", "/publish?key=page.rated"] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    let file = request(at, "GET", "/docs/asyncapi.json", &[], "").await;
    assert_eq!(file.header("content-disposition"), Some("attachment; filename=\"asyncapi.json\""));
    let document: Value = file.json();
    assert_eq!(document["asyncapi"], "3.0.0");
    assert!(document["components"]["schemas"]["Rated"]["properties"]["stars"].is_object(), "{document}");
    let yaml = request(at, "GET", "/docs/asyncapi.yaml", &[], "").await;
    assert!(yaml.body.starts_with("asyncapi: "), "{}", yaml.body);
    assert_eq!(request(at, "GET", "/docs/other", &[], "").await.status, 404);
    bus.shutdown().await;
}

/// What handlers did is there after a restart; a file that cannot be read is a warning, and a new beginning.
#[tokio::test]
async fn o8_what_handlers_did_outlives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let start = async || {
        let arena = Arena::embedded();
        let mut config = arena.config();
        config.http = Some(AdminPort::parse("127.0.0.1:0").unwrap());
        config.state_dir = Some(directory.path().to_owned());
        let bus = arena.app(module_path!()).config(config).start().await.unwrap();
        let at = bus.admin_address().unwrap();
        (bus, at)
    };
    // Attempts of the last two minutes, whichever process they were in.
    let before = async |at| get(at, "/api/v1/overview").await.1["failed_lately"].as_u64();
    let (bus, _) = start().await;
    let disliked = Rated { page: "home".to_owned(), stars: 0, again: None, tags: Vec::new() };
    bus.publish(&disliked).await.unwrap();
    until("it has failed", || bus.stats().handlers.iter().any(|one| one.failed == 1)).await;
    bus.shutdown().await;
    let (bus, at) = start().await;
    assert_eq!(before(at).await, Some(1));
    bus.shutdown().await;
    std::fs::write(directory.path().join("test.history.json"), "{ broken").unwrap();
    let (bus, at) = start().await;
    assert_eq!(before(at).await, Some(0));
    bus.shutdown().await;
}
