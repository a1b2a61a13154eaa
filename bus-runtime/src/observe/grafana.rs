//! A dashboard of Grafana for the handlers of a program.

use serde_json::{Value, json};

use super::names::{self, prefixed};
use crate::topology::Plan;

/// The width of a dashboard in the units of Grafana; two panels stand in a row.
const WIDTH: usize = 24;
const HEIGHT: usize = 8;

/// One panel: what it is called, its queries with their legends, and its unit.
type Panel = (&'static str, Vec<(String, &'static str)>, &'static str);

/// The dashboard, to import. Its data source and the handlers shown are chosen at the top of the page.
pub(crate) fn dashboard(plan: &Plan, app: &str, prefix: &str) -> Value {
    let panels = of_handlers(prefix).into_iter().chain(of_queues(prefix));
    let panels: Vec<_> = panels.enumerate().map(|(at, one)| panel(at, one)).collect();
    json!({
        "title": app,
        "uid": uid(app),
        "tags": ["bus"],
        "schemaVersion": 39,
        "editable": true,
        "refresh": "10s",
        "time": { "from": "now-1h", "to": "now" },
        "templating": { "list": [datasource(), handlers(plan)] },
        "panels": panels,
    })
}

/// What handlers do.
fn of_handlers(prefix: &str) -> Vec<Panel> {
    let name = |name| prefixed(prefix, name);
    let rate = |metric, by: &str| {
        format!("sum by ({by}) (rate({}{{handler=~\"$handler\"}}[$__rate_interval]))", name(metric))
    };
    let quantile = |metric| {
        format!(
            "histogram_quantile(0.95, sum by (handler, le) (rate({}_bucket{{handler=~\"$handler\"}}[$__rate_interval])))",
            name(metric)
        )
    };
    let plain = |metric, by: &str| format!("sum by ({by}) ({}{{handler=~\"$handler\"}})", name(metric));
    vec![
        (
            "Handled",
            vec![
                (rate(names::EVENTS_PROCESSED, "handler"), "{{handler}}"),
                (rate(names::COMMANDS_PROCESSED, "handler"), "{{handler}}"),
            ],
            "ops",
        ),
        (
            "Failed attempts",
            vec![
                (rate(names::EVENTS_FAILED, "handler, reason"), "{{handler}} {{reason}}"),
                (rate(names::COMMANDS_FAILED, "handler, reason"), "{{handler}} {{reason}}"),
            ],
            "ops",
        ),
        ("From publish to handled, 95 %", vec![(quantile(names::CRITICAL_TIME), "{{handler}}")], "s"),
        (
            "Time of a call, 95 %",
            vec![
                (quantile(names::EVENT_DURATION), "{{handler}}"),
                (quantile(names::COMMAND_DURATION), "{{handler}}"),
            ],
            "s",
        ),
        (
            "Slots in use",
            vec![(
                format!("{} / {}", plain(names::IN_FLIGHT, "handler"), plain(names::CONCURRENCY, "handler")),
                "{{handler}}",
            )],
            "percentunit",
        ),
        ("Retries", vec![(rate(names::RETRIES, "handler, delay"), "{{handler}} {{delay}}")], "ops"),
    ]
}

/// What waits, and what the broker does.
fn of_queues(prefix: &str) -> Vec<Panel> {
    let name = |name| prefixed(prefix, name);
    let plain = |metric, by: &str| format!("sum by ({by}) ({}{{handler=~\"$handler\"}})", name(metric));
    let whole = |metric, by: &str| format!("max by ({by}) ({})", name(metric));
    vec![
        ("Waiting", vec![(whole(names::QUEUE_SIZE, "queue"), "{{queue}}")], "short"),
        ("Dead letters", vec![(whole(names::DEAD_LETTER_QUEUE_SIZE, "queue"), "{{queue}}")], "short"),
        (
            "Published",
            vec![
                (
                    format!("sum by (type) (rate({}[$__rate_interval]))", name(names::EVENTS_PUBLISHED)),
                    "{{type}}",
                ),
                (
                    format!("sum by (type) (rate({}[$__rate_interval]))", name(names::COMMANDS_SENT)),
                    "{{type}}",
                ),
            ],
            "ops",
        ),
        (
            "Broker",
            vec![
                (whole(names::CONNECTED, "instance"), "{{instance}} connected"),
                (whole(names::BLOCKED, "instance"), "{{instance}} blocked"),
            ],
            "short",
        ),
        (
            "Breakers: 1 half open, 2 open",
            vec![(plain(names::BREAKER_STATE, "handler"), "{{handler}}")],
            "short",
        ),
        ("Nearly full", vec![(whole(names::BACKPRESSURE, "queue"), "{{queue}}")], "short"),
    ]
}

fn panel(at: usize, (title, queries, unit): Panel) -> Value {
    let targets = queries
        .iter()
        .zip('A'..)
        .map(|((expression, legend), id)| json!({ "refId": id, "expr": expression, "legendFormat": legend }));
    json!({
        "id": at + 1,
        "type": "timeseries",
        "title": title,
        "datasource": { "type": "prometheus", "uid": "${datasource}" },
        "gridPos": { "h": HEIGHT, "w": WIDTH / 2, "x": at % 2 * WIDTH / 2, "y": at / 2 * HEIGHT },
        "fieldConfig": { "defaults": { "unit": unit, "min": 0 }, "overrides": [] },
        "targets": targets.collect::<Vec<_>>(),
    })
}

fn datasource() -> Value {
    json!({ "name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source" })
}

/// The handlers of the program, to choose from.
fn handlers(plan: &Plan) -> Value {
    let names: Vec<_> = plan.handlers.iter().map(|entry| entry.name.as_str()).collect();
    let options = names.iter().map(|name| json!({ "text": name, "value": name, "selected": false }));
    json!({
        "name": "handler",
        "label": "Handler",
        "type": "custom",
        "multi": true,
        "includeAll": true,
        "allValue": ".*",
        "query": names.join(","),
        "options": options.collect::<Vec<_>>(),
        "current": { "text": "All", "value": "$__all" },
    })
}

/// What Grafana knows the dashboard by: at most 40 letters, digits and dashes.
fn uid(app: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    format!("bus-{}", app.chars().map(allowed).take(36).collect::<String>())
}
