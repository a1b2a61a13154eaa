//! What a running app says about itself: at start, and when it stops.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::app::{App, Bus, Drained, Running};
use crate::counters::Stats;
use crate::topology::Plan;

/// What nobody should learn from lost messages.
const EMBEDDED: &str = "messages live in this process and are gone when it ends; set BROKER_URL for RabbitMQ";

/// Handlers that the banner lists before it says "and more".
const LISTED_MAX: usize = 20;

/// Who the app is.
pub(super) struct Identity {
    name: String,
    version: Option<String>,
}

impl Identity {
    pub(super) fn of(app: &App) -> Self {
        Self { name: app.app_name(), version: app.app_version().map(str::to_owned) }
    }
}

/// Says that the app runs: for people on a terminal as a block, else as one event of the log.
pub(super) fn started(identity: &Identity, bus: &Bus, after: Duration) {
    let transport = bus.describe_transport();
    let plan = bus.plan();
    let is_embedded = bus.running().embedded.is_some();
    if !super::log::is_for_people() {
        tracing::info!(
            app = identity.name,
            broker = transport.address,
            server = transport.server,
            handlers = plan.handlers.len(),
            queues = plan.queues.len(),
            http = bus.admin_address().map(tracing::field::display),
            ready_after = ?after,
            "ready"
        );
        if is_embedded {
            tracing::warn!("{EMBEDDED}");
        }
        return;
    }
    let mut text = identity.name.clone();
    if let Some(version) = &identity.version {
        text.push_str(&format!(" {version}"));
    }
    text.push_str(&format!("  ·  bus_runtime {}\n", env!("CARGO_PKG_VERSION")));
    text.push_str(&format!("  broker     {}   {}\n", transport.address, transport.server));
    if is_embedded {
        text.push_str(&format!("             {EMBEDDED}\n"));
    }
    text.push_str(&handlers(plan));
    if let Some(address) = bus.admin_address() {
        text.push_str(&format!("  http       http://{address}   /livez /readyz /healthz\n"));
    }
    text.push_str(&format!("  ready in {after:.0?}: Ctrl-C to drain and stop\n"));
    say(&text);
}

fn handlers(plan: &Plan) -> String {
    let mut crates: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in &plan.handlers {
        *crates.entry(entry.group.as_str()).or_default() += 1;
    }
    let crates: Vec<_> = crates.iter().map(|(name, count)| format!("{name} {count}")).collect();
    let mut text = format!("  handlers   {} ({})\n", plan.handlers.len(), crates.join(", "));
    let width =
        plan.handlers.iter().take(LISTED_MAX).map(|entry| super::handlers::keys(entry).join(" ").len()).max();
    let width = width.unwrap_or_default();
    for entry in plan.handlers.iter().take(LISTED_MAX) {
        let keys = super::handlers::keys(entry).join(" ");
        let place = format!("{}:{}", entry.place.file, entry.place.line);
        text.push_str(&format!("    {:<8} {keys:<width$}  {}  {place}\n", entry.kind.as_str(), entry.name));
    }
    if plan.handlers.len() > LISTED_MAX {
        text.push_str(&format!(
            "    and {} more: see the command `handlers`\n",
            plan.handlers.len() - LISTED_MAX
        ));
    }
    text
}

/// Says that the app stops, and what it waits for.
pub(super) fn draining(running: &Running) {
    let (in_flight, oldest) = (running.in_flight.count(), running.in_flight.oldest());
    if !super::log::is_for_people() {
        let (handler, age) = oldest.map(|oldest| (oldest.handler.name.clone(), oldest.age)).unzip();
        tracing::info!(in_flight, oldest = handler, oldest_for = age.map(tracing::field::debug), "draining");
        return;
    }
    let oldest = oldest.map(|oldest| format!(" (oldest {} {:.1?})", oldest.handler.name, oldest.age));
    let (queued, again) = match running.embedded {
        None => ("no new deliveries", "to requeue and exit"),
        Some(_) => ("what is queued is handled first", "to exit now"),
    };
    let oldest = oldest.unwrap_or_default();
    say(&format!("draining: {in_flight} in flight{oldest}, {queued} · Ctrl-C again {again}\n"));
}

/// Says what the app has done, and what it has not.
pub(super) fn drained(stats: &Stats, drained: Drained, after: Duration) {
    let sum =
        |count: fn(&crate::counters::HandlerStats) -> u64| stats.handlers.iter().map(count).sum::<u64>();
    let (handled, failed, dead) =
        (sum(|one| one.handled), sum(|one| one.failed), sum(|one| one.dead_lettered));
    let Drained { interrupted, lost, delayed } = drained;
    if !super::log::is_for_people() {
        tracing::info!(handled, failed, dead_lettered = dead, interrupted, lost, delayed, after = ?after, "stopped");
        return;
    }
    let verb = if drained.is_clean() { "drained in" } else { "stopped after" };
    let mut text = format!("{verb} {after:.1?}: processed {handled}, failed {failed}, dead-lettered {dead}");
    if interrupted > 0 {
        text.push_str(&format!("; {interrupted} interrupted and requeued"));
    }
    if lost + delayed > 0 {
        text.push_str(&format!("; lost with the embedded broker: {lost} queued, {delayed} delayed"));
    }
    text.push('\n');
    say(&text);
}

fn say(text: &str) {
    use std::io::Write;
    // A closed stderr is no reason to stop handling messages.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
