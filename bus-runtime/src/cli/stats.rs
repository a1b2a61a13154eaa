//! `stats`: the numbers of the fleet and of its queues, on one screen.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::fleet::{self, Line};
use super::numbers::{Numbers, gather, known, rate, time};
use super::table::Table;
use super::{Output, duration, report};
use crate::app::App;
use crate::error::Error;
use crate::seam;
use crate::topology::Plan;

/// Options of `stats`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct StatsArgs {
    /// Show them again and again, until Ctrl-C
    #[arg(short, long)]
    watch: bool,
    /// The time between two looks, which rates are measured over
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1s")]
    interval: Duration,
    /// How long to wait for answers of workers
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5s")]
    timeout: Duration,
}

const EXAMPLES: &str = "\
Examples:
  stats                         once; rates are those of the second that it takes
  stats --watch                 until Ctrl-C
  stats --watch -o jsonl        a line for each look
  stats -o json | jq .ready     messages that wait in all queues

Workers are asked through the exchange bus.control, the broker for what waits in its queues.";

/// Shorter makes rates of nothing.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// To the top of the screen, and nothing below it.
const CLEAR: &str = "\x1b[H\x1b[2J";

pub(super) fn stats(app: &App, arguments: &StatsArgs, format: Output) -> ExitCode {
    let plan = match app.plan() {
        Ok(plan) => plan,
        Err(errors) => return report::failed(&errors),
    };
    let done = fleet::with(app, "stats", arguments.timeout, async |line| {
        tokio::select! {
            done = show(&line, &plan, arguments, format) => done,
            // Whoever has seen enough ends it so.
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::failed(&[error]),
    }
}

async fn show(line: &Line, plan: &Plan, arguments: &StatsArgs, format: Output) -> Result<(), Error> {
    let mut before = None;
    gather(line, plan, &mut before).await?;
    let clears = arguments.watch && format == Output::Table && std::io::stdout().is_terminal();
    loop {
        seam::sleep(arguments.interval.max(INTERVAL_MIN)).await;
        let numbers = gather(line, plan, &mut before).await?;
        let text = match format {
            Output::Table if clears => format!("{CLEAR}{}", told(&numbers)),
            Output::Table => told(&numbers),
            Output::Json if !arguments.watch => format!("{:#}\n", numbers.document()),
            Output::Json | Output::Jsonl => format!("{}\n", numbers.document()),
        };
        if !report::goes_on(&text) || !arguments.watch {
            return Ok(());
        }
    }
}

fn told(numbers: &Numbers) -> String {
    let in_flight: u64 = numbers.workers.iter().map(|worker| worker.in_flight).sum();
    let mut text = format!(
        "{}   {}/s handled   {}/s failed   {in_flight} in flight   {} waiting   {}\n",
        report::count(numbers.workers.len() as u64, "worker"),
        rate(numbers.sum(|handler| handler.per_second)),
        rate(numbers.sum(|handler| handler.failed_per_second)),
        numbers.ready(),
        report::count(numbers.dead_letters(), "dead letter"),
    );
    for peer in &numbers.silent {
        text.push_str(&format!("silent: {} on {}\n", peer.name, peer.host));
    }
    if !numbers.handlers.is_empty() {
        let titles =
            ["handler", "/s", "failed/s", "in flight", "handled", "failed", "dead", "p95", "workers"];
        let mut table = Table::new(&titles);
        for handler in &numbers.handlers {
            table.row([
                handler.name.clone(),
                rate(handler.per_second),
                rate(handler.failed_per_second),
                handler.in_flight.to_string(),
                handler.handled.to_string(),
                handler.failed.to_string(),
                handler.dead_lettered.to_string(),
                time(handler.p95_seconds),
                handler.workers.to_string(),
            ]);
        }
        text.push_str(&format!("\n{}", table.render()));
    }
    if !numbers.queues.is_empty() {
        let mut table = Table::new(&["queue", "waiting", "consumers", "dead letters"]);
        for queue in &numbers.queues {
            table.row([
                queue.name.clone(),
                known(queue.ready),
                known(queue.consumers),
                known(queue.dead_letters),
            ]);
        }
        text.push_str(&format!("\n{}", table.render()));
    }
    text
}
