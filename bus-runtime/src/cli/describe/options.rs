//! The options of a handler as they hold, and what has set each of them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::config::Config;
use crate::policy::{AckMode, OnError};
use crate::registration::HandlerOptions;
use crate::topology::{HandlerEntry, QueueEntry, override_name};

/// An option that holds.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) value: Value,
    pub(super) text: String,
    pub(super) origin: String,
}

/// What may set the options of one handler.
struct Origins<'c> {
    attributes: &'c [HandlerOptions],
    config: &'c Config,
    handler: String,
}

impl Origins<'_> {
    /// The variable for this handler alone, else the attribute, else the variable for all, else the default.
    fn of(&self, name: &str, is_set: impl Fn(&HandlerOptions) -> bool) -> String {
        let name = name.to_uppercase();
        let own = format!("BUS_HANDLER__{}__{name}", self.handler);
        if let Some(origin) = self.config.origins.get(&own) {
            return format!("{origin} ({own})");
        }
        if self.attributes.iter().any(is_set) {
            return "attribute".to_owned();
        }
        let all = format!("BUS_{name}");
        self.config
            .origins
            .get(&all)
            .map_or_else(|| "default".to_owned(), |origin| format!("{origin} ({all})"))
    }
}

pub(super) fn rows(
    entry: &HandlerEntry,
    queue: Option<&QueueEntry>,
    attributes: &[HandlerOptions],
    config: &Config,
) -> Vec<Row> {
    let origins = Origins { attributes, config, handler: override_name(&entry.name) };
    let mut rows = Vec::new();
    let mut add =
        |name: &'static str, (value, text): (Value, String), is_set: fn(&HandlerOptions) -> bool| {
            rows.push(Row { name, value, text, origin: origins.of(name, is_set) });
        };
    let retry = &entry.retry;
    add("timeout", time(entry.timeout), |set| set.timeout.is_some());
    add("retries", number(retry.max), |set| set.retry.is_some_and(|retry| retry.max.is_some()));
    if retry.max > 0 {
        let set = |set: &HandlerOptions| set.retry.is_some();
        add("retry.initial", time(Some(retry.initial)), set);
        add("retry.factor", (json!(retry.factor), retry.factor.to_string()), set);
        add("retry.max_delay", time(Some(retry.max_delay)), set);
        add("retry.jitter", (json!(retry.jitter), retry.jitter.to_string()), set);
        add("retry.give_up_after", time(retry.give_up_after), set);
    }
    add("on_error", word(on_error(entry.on_error)), |set| set.on_error.is_some());
    add("ack", word(ack(entry.ack)), |set| set.ack.is_some());
    // Those of a shared queue hold for all of its handlers.
    let (concurrency, prefetch) =
        queue.map_or((entry.concurrency, entry.prefetch), |queue| (queue.concurrency, queue.prefetch));
    add("concurrency", number(concurrency.into()), |set| set.concurrency.is_some());
    add("prefetch", number(prefetch.into()), |set| set.prefetch.is_some());
    add("priority", (json!(entry.priority), entry.priority.to_string()), |set| set.priority.is_some());
    add("ordered_by", maybe(entry.ordered_by.as_ref().map(ToString::to_string)), |set| {
        set.ordered_by.is_some()
    });
    let batch = entry.batch.map(|batch| format!("{} within {:?}", batch.size, batch.wait));
    add("batch", maybe(batch), |set| set.batch.is_some());
    let breaker = entry.breaker.map(|breaker| {
        format!("{} failures in {:?}, then {:?}", breaker.failures, breaker.window, breaker.pause)
    });
    add("breaker", maybe(breaker), |set| set.breaker.is_some());
    add("rate_limit", maybe(entry.rate_limit.map(|limit| limit.to_string())), |set| set.rate_limit.is_some());
    add("when", given(entry.when), |set| set.when.is_some());
    add("error_hook", given(entry.error_hook), |set| set.error_hook.is_some());
    rows
}

fn time(time: Option<Duration>) -> (Value, String) {
    let text = time.map_or_else(|| "none".to_owned(), |time| humantime::format_duration(time).to_string());
    (json!(time.map(|time| time.as_secs_f64())), text)
}

fn number(number: u32) -> (Value, String) {
    (json!(number), number.to_string())
}

fn word(word: &str) -> (Value, String) {
    (json!(word), word.to_owned())
}

fn maybe(text: Option<String>) -> (Value, String) {
    (json!(text), text.unwrap_or_else(|| "none".to_owned()))
}

/// A function has no name at run time: only whether there is one is known.
fn given<T>(function: Option<T>) -> (Value, String) {
    (json!(function.is_some()), function.map_or("none", |_| "a function").to_owned())
}

fn on_error(on_error: OnError) -> &'static str {
    match on_error {
        OnError::Retry => "retry",
        OnError::DeadLetter => "dead_letter",
        OnError::Requeue => "requeue",
        OnError::Discard => "discard",
    }
}

fn ack(ack: AckMode) -> &'static str {
    match ack {
        AckMode::OnSuccess => "on_success",
        AckMode::OnReceive => "on_receive",
        AckMode::Manual => "manual",
    }
}
