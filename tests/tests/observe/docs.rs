//! The files that `docs` writes: every name in them is one that the program has.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use bus_runtime::AdminPort;
use bus_tests::arena::Arena;
use bus_tests::http::ask;

fn docs(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shows"));
    command.arg("docs").args(arguments).env_clear().output().expect("it starts")
}

fn text(arguments: &[&str]) -> String {
    let output = docs(arguments);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The names of metrics in an expression: words with an underscore in them that no quotes are around.
fn metrics(expression: &str) -> BTreeSet<String> {
    let outside = expression.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let words = outside.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$');
    let names = words.filter(|word| word.contains('_') && !word.starts_with('$'));
    names.filter(|name| *name != "histogram_quantile").map(str::to_owned).collect()
}

/// Every name that a program answers with.
async fn known() -> BTreeSet<String> {
    let app =
        Arena::embedded().app_without_handlers().http(AdminPort::parse("127.0.0.1:0").expect("an address"));
    let bus = app.start().await.expect("it starts");
    let (_, _, scraped) = ask(bus.admin_address().expect("it listens"), "/metrics", &[]).await;
    let families = scraped.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    let known = families.flat_map(|name| [name.to_owned(), format!("{name}_bucket")]).collect();
    bus.shutdown().await;
    known
}

#[tokio::test]
async fn o5_alerts_are_about_the_handlers_of_the_program() {
    let alerts = text(&["alerts"]);
    let expressions: Vec<_> = alerts.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    assert!(expressions.len() > 8, "{alerts}");
    let known = known().await;
    for expression in &expressions {
        let quoted = expression.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).expect("quotes");
        assert_eq!(quoted.matches('(').count(), quoted.matches(')').count(), "{quoted}");
        let named = metrics(quoted);
        assert!(!named.is_empty() && named.is_subset(&known), "{named:?} in {quoted}");
    }
    for wanted in
        ["BusDeadLetters", "BusCriticalTime", "BusConsumerDetached", "BusHandlerStale", "BusDecodeFailures"]
    {
        assert!(alerts.contains(&format!("- alert: {wanted}\n")), "{wanted}");
    }
    assert!(alerts.contains("shows::before::ticket") && alerts.contains("tickets"), "{alerts}");
    let prefixed = text(&["alerts", "--metrics-prefix", "my_"]);
    assert!(prefixed.contains("(my_dead_letter_queue_size)"), "{prefixed}");
    assert_eq!(docs(&["alerts", "--metrics-prefix", "my-"]).status.code(), Some(2));
}

#[tokio::test]
async fn o5_a_dashboard_is_about_the_handlers_of_the_program() {
    let dashboard: serde_json::Value = serde_json::from_str(&text(&["grafana"])).expect("JSON");
    let known = known().await;
    let panels = dashboard["panels"].as_array().expect("panels");
    assert!(panels.len() >= 10);
    for target in panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets")) {
        let expression = target["expr"].as_str().expect("an expression");
        let named = metrics(&expression.replace("$__rate_interval", "5m"));
        assert!(!named.is_empty() && named.is_subset(&known), "{named:?} in {expression}");
    }
    let places: BTreeSet<_> = panels.iter().map(|panel| panel["gridPos"].to_string()).collect();
    assert_eq!(places.len(), panels.len(), "no panel hides another");
    let handlers = dashboard["templating"]["list"][1]["query"].as_str().expect("the handlers");
    assert_eq!(handlers, "shows::before::index,shows::before::ticket");
}
