//! The dashboard in a browser: how it looks, whether everybody can use it, and what an operator does with it.

use bus_runtime::Secret;
use bus_tests::arena::{Arena, until};
use bus_tests::browser::Browser;
use serde_json::json;

use crate::rig::Rig;

/// The checker of accessibility of Deque, as it is published: see `tests/vendor/axe-core/LICENSE`.
const AXE: &str = include_str!("../../vendor/axe-core/axe.min.js");

const WIDTHS: [u32; 2] = [1440, 390];

/// Something of everything: handled, retried, dead.
async fn busy(rig: &Rig) {
    for number in 0..5 {
        rig.bus
            .react(
                format!("page.home{number}.saved"),
                &json!({ "title": "Home", "words": [1, 2.5, true, null] }),
            )
            .await
            .unwrap();
    }
    rig.bus.react("page.broken.saved", &json!({ "do": "fail" })).await.unwrap();
    rig.bus.audit("page.forbidden", &()).await.unwrap();
    until("all is done", || rig.bus.stats().handlers.iter().map(|one| one.dead_lettered).sum::<u64>() == 2)
        .await;
    rig.calls.until(5).await;
}

/// Every kind of page, with something on it.
async fn pages(rig: &Rig) -> Vec<(&'static str, String)> {
    let letters = rig.json("/dead-letters").await;
    let letter = letters["letters"][0]["id"].as_str().unwrap().to_owned();
    let message = rig.json("/failures").await["items"][0]["example"]["number"].clone();
    let handlers = rig.json("/handlers").await;
    let handler = handlers["items"][0]["name"].as_str().unwrap().to_owned();
    let queue = handlers["items"][0]["queue"].as_str().unwrap().to_owned();
    let job = rig.post("/dead-letters/replay", &json!({ "dry_run": true })).await.json()["job"].clone();
    vec![
        ("overview", "/".to_owned()),
        ("live", "/live".to_owned()),
        ("failures", "/failures".to_owned()),
        ("message", format!("/messages/{message}")),
        ("dead-letters", "/dead-letters".to_owned()),
        ("letter", format!("/dead-letters/{letter}")),
        ("replay", "/replay".to_owned()),
        ("job", format!("/jobs/{job}")),
        ("handlers", "/handlers".to_owned()),
        ("handler", format!("/handlers/{handler}")),
        ("queues", "/queues".to_owned()),
        ("queue", format!("/queues/{queue}")),
        ("topology", "/topology".to_owned()),
        ("workers", "/workers".to_owned()),
        ("docs", "/docs".to_owned()),
        ("route", "/route?key=page.home".to_owned()),
        ("publish", "/publish?key=page.home.saved".to_owned()),
        ("config", "/config".to_owned()),
        ("audit-log", "/audit-log".to_owned()),
    ]
}

/// Where pictures are kept for people to look at, when somebody wants them.
fn keep(name: &str, width: u32, theme: &str, picture: &str) {
    let Some(directory) = std::env::var_os("BUS_TEST_PICTURES") else { return };
    let path = std::path::Path::new(&directory).join(format!("{name}-{width}-{theme}.png.base64"));
    std::fs::write(path, picture).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_fits_and_everybody_can_use_it() {
    let Some(browser) = Browser::start().await else { return };
    let rig = Rig::start(Arena::embedded()).await;
    busy(&rig).await;
    let pages = pages(&rig).await;
    let mut problems = Vec::new();
    for (name, path) in &pages {
        for width in WIDTHS {
            browser.resize(width, 900).await;
            browser.open(&format!("http://{}{path}", rig.at)).await;
            let over = browser
                .run("return Math.max(0, document.documentElement.scrollWidth - window.innerWidth)")
                .await;
            if over != 0 {
                let who = "return [...document.querySelectorAll('main *')].filter(one => one.getBoundingClientRect().right > innerWidth).map(one => one.outerHTML.slice(0, 80)).slice(0, 3)";
                problems.push(format!("{name} overflows at {width} by {over}: {}", browser.run(who).await));
            }
            for theme in ["light", "dark"] {
                browser.run(&format!("document.documentElement.dataset.theme = '{theme}'")).await;
                keep(name, width, theme, &browser.picture().await);
                if width == WIDTHS[0] {
                    let found = browser.run_async(&format!("{AXE}; const done = arguments[0]; axe.run(document).then(found => done(found.violations.map(one => one.id + ': ' + one.nodes.map(node => node.target + ' ' + node.failureSummary).join('; '))))")).await;
                    let found = found.as_array().unwrap().iter();
                    problems.extend(found.map(|one| format!("{name}, {theme}: {one}")));
                }
            }
        }
    }
    problems.extend(browser.complaints().await);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    browser.close().await;
    rig.bus.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_is_understood_mended_and_replayed_with_a_mouse() {
    let Some(browser) = Browser::start().await else { return };
    let rig = Rig::start(Arena::embedded()).await;
    rig.bus.react("page.home.saved", &json!({ "do": "fail" })).await.unwrap();
    rig.letter().await;
    browser.open(&format!("http://{}/", rig.at)).await;
    browser.until_says("1 dead letters wait for a decision").await;
    browser.click(".note-box.warn a").await;
    browser.until_says("no room for home").await;
    browser.click("td.id a").await;
    browser.until_says("failed in all 2 attempts").await;
    assert!(browser.text().await.contains("publish_raw("), "it can be copied as a test");
    browser.write("textarea[name=body]", "{\"do\":\"well\"}").await;
    browser.click("form[action$='/edit'] button").await;
    browser.until_says("\"well\"").await;
    browser.click("a.button[href^='/replay']").await;
    browser.until_says("1 letter goes back to").await;
    browser.write("input[name=canary]", "0").await;
    browser.click("button.primary").await;
    browser.until_says("done").await;
    rig.calls.until(1).await;
    browser.open(&format!("http://{}/dead-letters", rig.at)).await;
    browser.until_says("There are no dead letters.").await;
    browser.close().await;
    rig.bus.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_live_view_follows_under_load_and_keeps_hostile_text_text() {
    let Some(browser) = Browser::start().await else { return };
    let rig = Rig::start(Arena::embedded()).await;
    browser.open(&format!("http://{}/live", rig.at)).await;
    browser.until_says("live").await;
    let hostile = "<img/src=x/onerror=window['caught']=1>";
    for number in 0..2000 {
        rig.bus.react(format!("page.n{number}.saved"), &()).await.unwrap();
    }
    rig.bus.react(format!("page.{hostile}.saved"), &json!({ "do": "fail", "x": hostile })).await.unwrap();
    browser.until_says("page.n").await;
    browser.until_says("onerror").await;
    let rows = browser.run("return document.querySelectorAll('#live-rows tr').length").await;
    assert!(rows.as_u64().unwrap() <= 300, "a page does not grow for ever: {rows}");
    assert_eq!(browser.run("return window.caught === undefined").await, true, "it is text");
    rig.calls.until(2000).await;
    browser.close().await;
    rig.bus.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_no_token_sees_a_form_and_a_viewer_no_live_buttons() {
    let Some(browser) = Browser::start().await else { return };
    let rig = Rig::start_with(Arena::embedded(), |config| {
        config.http_access.read_token = Some(Secret::new("look"));
    })
    .await;
    let home = format!("http://{}/", rig.at);
    browser.open(&home).await;
    browser.until_says("asks for a token").await;
    browser.write("input[name=token]", "wrong").await;
    browser.click("button").await;
    browser.until_says("the token is not right").await;
    browser.write("input[name=token]", "look").await;
    browser.click("button").await;
    browser.until_says("Overview").await;
    browser.open(&format!("{home}publish")).await;
    let disabled = browser.run("return document.querySelector('button.primary').disabled").await;
    assert_eq!(disabled, true);
    browser.close().await;
    rig.bus.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_can_be_read_without_scripts_and_used_with_keys() {
    let Some(browser) = Browser::start().await else { return };
    let rig = Rig::start(Arena::embedded()).await;
    busy(&rig).await;
    browser.open(&format!("http://{}/", rig.at)).await;
    browser.run("document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'g', bubbles: true })); document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'd', bubbles: true }))").await;
    browser.until_says("What went wrong").await;
    browser
        .run("document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '?', bubbles: true }))")
        .await;
    browser.until_says("next and previous row").await;
    browser.close().await;
    rig.bus.shutdown().await;
}
