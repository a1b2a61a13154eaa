//! Who may look, and who may act.

use bus_runtime::Secret;
use bus_tests::arena::Arena;
use bus_tests::http::request;

use crate::rig::Rig;

async fn closed() -> Rig {
    Rig::start_with(Arena::embedded(), |config| {
        config.http_access.token = Some(Secret::new("operate"));
        config.http_access.read_token = Some(Secret::new("look"));
    })
    .await
}

/// The exchange whose messages have somebody who takes `page.a`.
fn audit(rig: &Rig) -> String {
    let plan = rig.bus.plan();
    plan.handlers.iter().find(|one| one.kind.as_str() == "audit").unwrap().exchange.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_nobody_comes_in() {
    let rig = closed().await;
    for path in ["/", "/handlers", "/api/v1/overview", "/api/v1/events", "/dead-letters/export"] {
        let answer = request(rig.at, "GET", path, &[("Accept", "text/html")], "").await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(!answer.body.contains("page.{name}.saved"), "{path}: {}", answer.body);
    }
    let wrong = request(rig.at, "GET", "/api/v1/handlers", &[("Authorization", "Bearer wrong")], "").await;
    assert_eq!(wrong.status, 401);
    assert_eq!(request(rig.at, "GET", "/livez", &[], "").await.status, 200, "probes need no token");
    rig.bus.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_looks_and_an_operator_acts() {
    let rig = closed().await;
    let exchange = audit(&rig);
    let form = format!("exchange={exchange}&key=page.a&body=1");
    for (token, looks, acts) in [("look", 200, 403), ("operate", 200, 200), ("nothing", 401, 401)] {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", &*bearer), ("Content-Type", "application/x-www-form-urlencoded")];
        assert_eq!(request(rig.at, "GET", "/api/v1/handlers", &headers, "").await.status, looks, "{token}");
        let acted = request(rig.at, "POST", "/api/v1/publish", &headers, &form).await;
        assert_eq!(acted.status, acts, "{token}: {}", acted.body);
    }
    rig.bus.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_signs_in_with_a_form_and_keeps_a_cookie() {
    let rig = closed().await;
    let headers = [
        ("Sec-Fetch-Site", "same-origin"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Accept", "text/html"),
    ];
    let refused = request(rig.at, "POST", "/login", &headers, "token=wrong").await;
    assert_eq!((refused.status, refused.header("set-cookie")), (401, None));
    let welcome = request(rig.at, "POST", "/login", &headers, "token=operate").await;
    let cookie = welcome.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let kept = cookie.split(';').next().unwrap();
    let page = request(rig.at, "GET", "/", &[("Cookie", kept), ("Accept", "text/html")], "").await;
    assert_eq!(page.status, 200, "{}", page.body);
    rig.bus.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_other_sites_are_refused() {
    let rig = Rig::start(Arena::embedded()).await;
    let exchange = audit(&rig);
    let form = format!("exchange={exchange}&key=page.a&body=1");
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    for (site, status) in
        [(Some("cross-site"), 403), (Some("same-site"), 403), (None, 403), (Some("same-origin"), 200)]
    {
        let mut headers = vec![kind];
        headers.extend(site.map(|site| ("Sec-Fetch-Site", site)));
        assert_eq!(
            request(rig.at, "POST", "/api/v1/publish", &headers, &form).await.status,
            status,
            "{site:?}"
        );
    }
    // A name that somebody points at this machine, so that a browser takes their page for one of ours.
    let rebound = request(rig.at, "GET", "/api/v1/handlers", &[("Host", "evil.example")], "").await;
    assert_eq!(rebound.status, 401, "{}", rebound.body);
    let answer = request(rig.at, "GET", "/", &[("Host", "evil.example"), ("Accept", "text/html")], "").await;
    assert!(answer.status == 403 && answer.body.contains("BUS_HTTP_TOKEN"), "{}", answer.body);
    rig.bus.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_hidden_unless_somebody_wants_them_shown() {
    let rig = Rig::start_with(Arena::embedded(), |config| {
        config.http_access.show_bodies = Some(false);
        config.http_access.allow_edit = false;
    })
    .await;
    let body = serde_json::json!({ "do": "fail", "secret": "tulip" });
    rig.bus.react("page.home.saved", &body).header("authorization", "tulip").await.unwrap();
    let id = rig.letter().await["id"].as_str().unwrap().to_owned();
    let number = rig.json("/live").await["items"][0]["number"].clone();
    let pages = [
        format!("/dead-letters/{id}"),
        format!("/messages/{number}"),
        format!("/dead-letters/{id}?format=json"),
        "/dead-letters/export".to_owned(),
    ];
    for path in pages {
        let page = rig.page(&path).await;
        assert!(!page.body.contains("tulip"), "{path}: {}", page.body);
    }
    assert_eq!(
        rig.post(&format!("/dead-letters/{id}/edit"), &serde_json::json!({ "body": "1" })).await.status,
        403
    );
    rig.bus.shutdown().await;
}
