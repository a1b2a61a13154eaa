//! What can be done with the pages.

use bus_runtime::Bus;
use bus_tests::arena::{Arena, until};
use serde_json::json;

use crate::rig::Rig;

fn queue_of(bus: &Bus, kind: &str) -> String {
    bus.plan().handlers.iter().find(|one| one.kind.as_str() == kind).unwrap().queue.to_string()
}

pub(crate) async fn a_dead_letter_is_changed_and_replayed(arena: Arena) {
    let rig = Rig::start(arena).await;
    rig.bus.react("page.home.saved", &json!({ "do": "fail" })).header("tenant", "a").await.unwrap();
    let id = rig.letter().await["id"].as_str().unwrap().to_owned();
    let refused = rig.post(&format!("/dead-letters/{id}/edit"), &json!({ "body": "{\"do\":" })).await;
    assert_eq!(refused.status, 400, "JSON stays JSON: {}", refused.body);
    let edited = rig.post(&format!("/dead-letters/{id}/edit"), &json!({ "body": "{\"do\":\"well\"}" })).await;
    let edited = edited.json()["id"].as_str().unwrap().to_owned();
    assert_ne!(edited, id);
    let letter = rig.letter().await;
    assert_eq!(
        (letter["id"].as_str(), letter["reason"].as_str()),
        (Some(&*edited), Some("failed")),
        "{letter}"
    );
    let letter = rig.json(&format!("/dead-letters/{edited}")).await;
    assert_eq!(letter["headers"]["tenant"], "a", "{letter}");

    let counted = rig.post("/dead-letters/replay", &json!({ "id": edited, "dry_run": true })).await;
    assert_eq!(rig.job(&counted).await["moved"], 1);
    assert_eq!(rig.calls.count(), 0, "it was only counted");
    let begun = rig.post("/dead-letters/replay", &json!({ "id": edited })).await;
    let job = rig.job(&begun).await;
    assert_eq!((job["status"].as_str(), job["moved"].as_u64()), (Some("done"), Some(1)), "{job}");
    rig.calls.until(1).await;
    assert_eq!(rig.json("/dead-letters").await["total"], 0);
    let log = rig.json("/audit-log").await;
    let actions: Vec<_> =
        log["items"].as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["replay", "replay", "edit dead letter"]);
    rig.bus.shutdown().await;
}

pub(crate) async fn a_replay_stops_when_those_that_go_first_fail(arena: Arena) {
    let rig = Rig::start(arena).await;
    for number in 0..4 {
        rig.bus.react(format!("page.p{number}.saved"), &json!({ "do": "fail" })).await.unwrap();
    }
    until("all are dead", || rig.bus.stats().handlers.iter().any(|one| one.dead_lettered == 4)).await;
    let begun = rig.post("/dead-letters/replay", &json!({ "canary": 1, "abort_over": 0 })).await;
    let job = rig.job(&begun).await;
    assert_eq!((job["status"].as_str(), job["moved"].as_u64()), (Some("aborted"), Some(1)), "{job}");
    assert_eq!(rig.json("/dead-letters").await["total"], 4, "the one that went first is back");
    rig.bus.shutdown().await;
}

pub(crate) async fn a_paused_queue_keeps_its_messages(arena: Arena) {
    let rig = Rig::start(arena).await;
    let queue = queue_of(&rig.bus, "react");
    assert_eq!(rig.post(&format!("/queues/{queue}/pause"), &json!({})).await.status, 200);
    let consumers = || {
        let standing = rig.bus.consumers().into_iter().find(|(name, _)| **name == *queue);
        matches!(standing, Some((_, bus_runtime::transport::Standing::Receiving)))
    };
    until("it is not consumed", || !consumers()).await;
    rig.bus.react("page.home.saved", &()).await.unwrap();
    let name = queue.trim_start_matches(rig.arena.name("").as_str());
    rig.arena.until_ready(name, 1).await;
    let shown = rig.json(&format!("/queues/{queue}")).await;
    assert_eq!((shown["paused"].as_bool(), rig.calls.count()), (Some(true), 0), "{shown}");
    assert_eq!(rig.post(&format!("/queues/{queue}/resume"), &json!({})).await.status, 200);
    rig.calls.until(1).await;
    rig.bus.shutdown().await;
}

pub(crate) async fn nothing_is_deleted_by_a_slip(arena: Arena) {
    let rig = Rig::start(arena).await;
    rig.bus.audit("page.forbidden", &()).await.unwrap();
    rig.letter().await;
    let wrong = rig.post("/dead-letters/purge", &json!({ "confirm": 2 })).await;
    assert_eq!(wrong.status, 400, "{}", wrong.body);
    assert_eq!(rig.post("/dead-letters/purge", &json!({ "confirm": 1 })).await.json()["deleted"], 1);
    assert_eq!(rig.json("/dead-letters").await["total"], 0);

    let queue = queue_of(&rig.bus, "audit");
    rig.post(&format!("/queues/{queue}/pause"), &json!({})).await;
    until("it is paused", || {
        rig.bus.consumers().iter().any(|(name, standing)| {
            **name == *queue && !matches!(standing, bus_runtime::transport::Standing::Receiving)
        })
    })
    .await;
    rig.bus.audit("page.home", &()).await.unwrap();
    let path = format!("/queues/{queue}/purge");
    assert_eq!(rig.post(&path, &json!({ "confirm": "yes" })).await.status, 400);
    let deleted = rig.post(&path, &json!({ "confirm": queue })).await;
    assert_eq!(deleted.json()["deleted"], 1, "{}", deleted.body);
    assert_eq!(rig.post("/queues/nobody/purge", &json!({ "confirm": "nobody" })).await.status, 404);
    rig.bus.shutdown().await;
}

pub(crate) async fn what_is_published_by_hand_is_handled(arena: Arena) {
    let rig = Rig::start(arena).await;
    let exchange =
        rig.bus.plan().handlers.iter().find(|one| one.kind.as_str() == "react").unwrap().exchange.to_string();
    let sent = rig.post("/publish", &json!({ "exchange": exchange, "key": "page.home.saved", "body": "{}", "count": 3, "headers": "tenant=a" })).await;
    assert_eq!(sent.json()["published"], 3, "{}", sent.body);
    rig.calls.until(3).await;
    let nobody = rig
        .post("/publish", &json!({ "exchange": exchange, "key": "nobody.wants.this", "body": "{}" }))
        .await;
    assert_eq!((nobody.status, nobody.json()["code"].is_string()), (422, true), "{}", nobody.body);
    let broken =
        rig.post("/publish", &json!({ "exchange": exchange, "key": "page.home.saved", "body": "{" })).await;
    assert_eq!(broken.status, 400, "{}", broken.body);
    assert_eq!(rig.calls.count(), 3);
    rig.bus.shutdown().await;
}

pub(crate) async fn what_is_missing_is_declared(arena: Arena) {
    let rig = Rig::start(arena).await;
    assert_eq!(rig.json("/topology").await["differences"], json!([]));
    let binding =
        rig.bus.plan().topology.bindings.iter().find(|one| one.key.as_str() == "page.#").unwrap().clone();
    rig.bus.transport().unbind(&binding).await.unwrap();
    let done = rig.post("/topology/apply", &json!({})).await;
    assert_eq!(done.status, 200, "{}", done.body);
    rig.bus.audit("page.home", &()).await.unwrap();
    until("it is handled", || {
        rig.bus.stats().handlers.iter().any(|one| one.kind == "audit" && one.handled == 1)
    })
    .await;
    rig.bus.shutdown().await;
}

pub(crate) async fn o7_workers_are_quieted_and_resumed(arena: Arena) {
    let rig = Rig::start(arena).await;
    let workers = async || rig.json("/workers").await["items"].as_array().unwrap().clone();
    let own = workers().await.into_iter().find(|worker| worker["here"] == true).unwrap();
    assert_eq!((own["state"].as_str(), own["handlers"].as_u64()), (Some("running"), Some(2)), "{own}");
    let id = own["id"].as_str().unwrap();
    // By its name too: it has an id of its own as soon as it has joined the others.
    let name = own["name"].as_str().unwrap();
    assert_eq!(rig.post(&format!("/workers/{id}/quiet"), &json!({})).await.status, 200);
    let health = rig.bus.health();
    assert!(health.problems.iter().any(|problem| problem.contains("asked for quiet")), "{health:?}");
    let standing = |receiving: bool| {
        let own = rig.bus.plan().queues.iter().map(|queue| &queue.name);
        let receives = |queue: &_| {
            let found = rig.bus.consumers().into_iter().find(|(name, _)| name == queue);
            matches!(found, Some((_, bus_runtime::transport::Standing::Receiving)))
        };
        own.into_iter().all(|queue| receives(queue) == receiving)
    };
    until("nothing is consumed", || standing(false)).await;
    assert!(rig.bus.health().is_ready(), "{:?}", rig.bus.health());
    rig.bus.react("page.home.saved", &()).await.unwrap();
    let queue = queue_of(&rig.bus, "react");
    rig.arena.until_ready(queue.trim_start_matches(rig.arena.name("").as_str()), 1).await;
    let shown = rig.json(&format!("/workers/{name}")).await;
    assert_eq!((shown["state"].as_str(), rig.calls.count()), (Some("quiet"), 0), "{shown}");
    assert!(rig.page("/workers").await.body.contains("quiet</span>"));
    assert_eq!(rig.post("/workers/all/resume", &json!({})).await.status, 200);
    rig.calls.until(1).await;
    // This test has started the bus itself, and does not wait for such a request.
    let refused = rig.post(&format!("/workers/{name}/drain"), &json!({})).await;
    assert!(refused.status == 400 && refused.body.contains("drain_requested"), "{}", refused.body);
    assert_eq!(rig.post("/workers/nobody/quiet", &json!({})).await.status, 404);
    let log = rig.json("/audit-log").await;
    let actions: Vec<_> =
        log["items"].as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["quiet worker", "drain worker", "resume worker", "quiet worker"]);
    let honoured = tokio::join!(rig.bus.drain_requested(), async {
        // The one who listens may come a moment later.
        while rig.post(&format!("/workers/{name}/drain"), &json!({})).await.status != 200 {}
    });
    assert_eq!(honoured, ((), ()));
    rig.bus.shutdown().await;
}
