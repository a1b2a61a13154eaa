//! Alerts of Prometheus for the handlers of a program, as a rules file.

use super::names::{self, prefixed};
use crate::topology::Plan;

/// How long most messages may take from publish to handled before somebody is told, in seconds.
const CRITICAL_SECONDS: f64 = 30.0;

/// One rule.
struct Rule {
    name: &'static str,
    expression: String,
    lasts: &'static str,
    severity: &'static str,
    summary: String,
    help: &'static str,
}

/// A rules file for Prometheus.
pub(crate) fn alerts(plan: &Plan, app: &str, prefix: &str) -> String {
    let mut text = format!(
        "# Alerts for {app}: rule_files of Prometheus. Written by `docs alerts`.\ngroups:\n  - name: {}\n    rules:\n",
        quoted(app)
    );
    for rule in rules(plan, prefix) {
        let Rule { name, expression, lasts, severity, summary, help } = rule;
        text.push_str(&format!(
            "      - alert: {name}\n        expr: {}\n        for: {lasts}\n        labels:\n          severity: {severity}\n        \
             annotations:\n          summary: {}\n          description: {}\n",
            quoted(&expression),
            quoted(&summary),
            quoted(help),
        ));
    }
    text
}

/// All rules: those for every handler, and one for each that has something to do and does nothing.
fn rules(plan: &Plan, prefix: &str) -> Vec<Rule> {
    let name = |name| prefixed(prefix, name);
    let mut rules = of_messages(plan, prefix);
    rules.extend(of_states(plan, prefix));
    let stale = plan.handlers.iter().map(|entry| {
        let last = format!("{}{{handler=\"{}\"}}", name(names::LAST_PROCESSED), escaped(&entry.name));
        let waiting = format!("{}{{queue=\"{}\"}}", name(names::QUEUE_SIZE), escaped(entry.queue.as_str()));
        Rule {
            name: "BusHandlerStale",
            // Idle is fine: only what has messages and handles none is stuck.
            expression: format!("(time() - max({last}) > 900) and on() (max({waiting}) > 0)"),
            lasts: "5m",
            severity: "critical",
            summary: format!("{} has messages and has handled none for 15 minutes", entry.name),
            help: "Its calls hang or fail: look at bus_handler_in_flight and at the log.",
        }
    });
    rules.extend(stale);
    rules
}

/// What becomes of messages.
fn of_messages(plan: &Plan, prefix: &str) -> Vec<Rule> {
    let name = |name| prefixed(prefix, name);
    let of_handlers = one_of("handler", plan.handlers.iter().map(|entry| entry.name.as_str()));
    vec![
        rule(
            "BusDeadLetters",
            format!("sum by (queue) ({}) > 0", name(names::DEAD_LETTER_QUEUE_SIZE)),
            "1m",
            "critical",
            "{{ $value }} messages in {{ $labels.queue }}",
            "`dlq ls` shows them, `dlq show` one of them with its error, `dlq replay` handles them again.",
        ),
        rule(
            "BusCriticalTime",
            format!(
                "histogram_quantile(0.95, sum by (handler, le) (rate({}_bucket{of_handlers}[5m]))) > {CRITICAL_SECONDS}",
                name(names::CRITICAL_TIME)
            ),
            "10m",
            "warning",
            "messages for {{ $labels.handler }} take {{ $value | humanizeDuration }} until they are handled",
            "The handler is slower than its publishers: more concurrency, more processes, or a faster handler.",
        ),
        rule(
            "BusDecodeFailures",
            format!("increase({}{of_handlers}[15m]) > 0", name(names::DECODE_FAILURES)),
            "0m",
            "warning",
            "{{ $labels.handler }} cannot decode what it is sent",
            "A publisher and the handler disagree about the type; `dlq show` tells the field.",
        ),
    ]
}

/// What handlers, queues and the broker are.
fn of_states(plan: &Plan, prefix: &str) -> Vec<Rule> {
    let name = |name| prefixed(prefix, name);
    let of_handlers = one_of("handler", plan.handlers.iter().map(|entry| entry.name.as_str()));
    let of_queues = one_of("queue", plan.queues.iter().map(|queue| queue.name.as_str()));
    vec![
        rule(
            "BusConsumerDetached",
            format!("{}{of_queues} == 0", name(names::CONSUMER_ATTACHED)),
            "2m",
            "critical",
            "{{ $labels.queue }} is not consumed by {{ $labels.instance }}",
            "`health` says why: the broker is away, a breaker is open, or the queue is gone.",
        ),
        rule(
            "BusBrokerAway",
            format!("{} == 0", name(names::CONNECTED)),
            "1m",
            "critical",
            "{{ $labels.instance }} has no connection to the broker",
            "`doctor` looks for whatever is in the way.",
        ),
        rule(
            "BusBackpressure",
            format!("{}{of_queues} == 1", name(names::BACKPRESSURE)),
            "5m",
            "warning",
            "{{ $labels.queue }} is nearly full, or the broker takes no publishes",
            "Handlers are slower than publishers, or the broker is short of memory or disk.",
        ),
        rule(
            "BusBreakerOpen",
            format!("{}{of_handlers} == 2", name(names::BREAKER_STATE)),
            "5m",
            "warning",
            "{{ $labels.handler }} rests",
            "Its breaker opened after failures; messages wait in the broker.",
        ),
    ]
}

fn rule(
    name: &'static str,
    expression: String,
    lasts: &'static str,
    severity: &'static str,
    summary: &str,
    help: &'static str,
) -> Rule {
    Rule { name, expression, lasts, severity, summary: summary.to_owned(), help }
}

/// The series of these names.
fn one_of<'n>(label: &str, names: impl Iterator<Item = &'n str>) -> String {
    format!("{{{label}=~\"{}\"}}", names.map(pattern).collect::<Vec<_>>().join("|"))
}

/// A name as a regular expression of Prometheus, inside of a text of PromQL.
fn pattern(name: &str) -> String {
    let special = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | ':' | '-');
    name.chars().map(|c| if special(c) { format!("\\\\{c}") } else { c.to_string() }).collect()
}

/// A name inside of a text of PromQL.
fn escaped(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"")
}

/// A text of YAML.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_patterns_that_match_themselves_alone() {
        assert_eq!(pattern("wiki::on_page"), "wiki::on_page");
        assert_eq!(pattern("a.b+c"), "a\\\\.b\\\\+c");
        assert_eq!(quoted("it's"), "'it''s'");
    }
}
