//! `dlq replay`, with its progress.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::choose::Choose;
use super::print::letters;
use crate::cli::progress::Meter;
use crate::cli::signals::Signals;
use crate::cli::{Output, duration, rate, report};
use crate::dead_letters::{Canary, Control, DeadLetters, Ended, Progress, Replay, Replayed};
use crate::error::Error;
use crate::names::QueueName;

/// Options of `dlq replay`.
#[derive(Args, Clone, Debug)]
pub(super) struct ReplayArgs {
    /// Into this queue, instead of those that the letters came from
    #[arg(long, value_name = "QUEUE")]
    to: Option<String>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<u64>,
    /// At most so many a second: 50/s, or 30/m
    #[arg(long, value_name = "RATE", value_parser = rate)]
    rate: Option<f64>,
    /// Send so many first, and the others when these were handled
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    canary: Option<u64>,
    /// Stop when more of the first ones than this are dead again, or nothing is heard of them
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "0%", requires = "canary")]
    abort_over: f64,
    /// How long to wait until the first ones are handled, their retries included
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "2m", requires = "canary")]
    canary_wait: Duration,
    /// Leave the letters where they are, too
    #[arg(long)]
    keep: bool,
    /// Only count them
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    choose: Choose,
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').unwrap_or(text.trim()).parse().ok();
    number
        .filter(|number: &f64| (0.0..=100.0).contains(number))
        .ok_or_else(|| "say a percentage from 0% to 100%: 5%".to_owned())
}

/// Too many of those that went first are dead again.
const ABORTED: u8 = 1;
/// Some letters stay.
const PARTIAL: u8 = 3;
/// How long the copies in hand may take after a signal, and how the program ends when they take longer.
const STOP: (Duration, u8) = (Duration::from_secs(30), PARTIAL);

pub(super) async fn replay(
    dead_letters: &DeadLetters,
    arguments: &ReplayArgs,
    format: Output,
) -> Result<ExitCode, Error> {
    let selection = arguments.choose.selection()?;
    let replay = arguments.replay()?;
    let signals = Signals::listen(STOP.0, STOP.1, None)?;
    let mut meter = Meter::new("replaying");
    let control = Control::new(signals.first(), |progress| {
        meter.show(progress.seen, Some(progress.total), &message(progress));
    });
    let replayed = dead_letters.replay(&selection, &replay, control).await;
    meter.end();
    let replayed = replayed?;
    let printed = report::print(&match format {
        Output::Table => table(&replayed, &replay),
        Output::Json | Output::Jsonl => document(&replayed),
    });
    Ok(match (replayed.ended, replayed.failed) {
        (Ended::Aborted, _) => ExitCode::from(ABORTED),
        (Ended::Stopped, _) | (_, 1..) => ExitCode::from(PARTIAL),
        _ => printed,
    })
}

impl ReplayArgs {
    fn replay(&self) -> Result<Replay, Error> {
        let Self { to, limit, rate, canary, abort_over, canary_wait, keep, dry_run, choose: _ } = self;
        Ok(Replay {
            to: to.as_deref().map(QueueName::new).transpose()?,
            limit: *limit,
            per_second: *rate,
            canary: canary.map(|count| Canary { count, abort_over: *abort_over, wait: *canary_wait }),
            keep: *keep,
            dry_run: *dry_run,
        })
    }
}

fn message(progress: &Progress) -> String {
    let mut message = format!("replayed {}", progress.moved);
    if progress.failed > 0 {
        message.push_str(&format!(", failed {}", progress.failed));
    }
    if let Some(canary) = &progress.canary {
        message.push_str(&format!(
            ", canary: {} handled, {} dead again, {} open",
            canary.handled, canary.dead, canary.undecided
        ));
    }
    message
}

fn table(replayed: &Replayed, replay: &Replay) -> String {
    let Replayed { moved, failed, problems, canary, ended } = replayed;
    let mut text = match (replay.dry_run, replay.keep) {
        (true, _) => format!("would replay {}\n", letters(*moved)),
        (false, true) => format!("replayed copies of {}, which stay\n", letters(*moved)),
        (false, false) => format!("replayed {}\n", letters(*moved)),
    };
    if let Some(canary) = canary {
        let of = canary.handled + canary.dead + canary.undecided;
        text.push_str(&format!(
            "canary: {} of {of} handled, {} dead again, {} not heard of\n",
            canary.handled, canary.dead, canary.undecided
        ));
    }
    if *failed > 0 {
        text.push_str(&format!("{} could not be replayed, and stay:\n", letters(*failed)));
        for one in problems {
            text.push_str(&format!("  {}: {}\n", one.id, one.problem));
        }
    }
    text.push_str(match ended {
        Ended::Aborted => "stopped after the canary: the others are where they were\n",
        Ended::Stopped => "stopped by a signal: the same command goes on with the others\n",
        Ended::Limit | Ended::Done => "",
    });
    text
}

fn document(replayed: &Replayed) -> String {
    let Replayed { moved, failed, problems, canary, ended } = replayed;
    let ended = match ended {
        Ended::Done => "done",
        Ended::Limit => "limit",
        Ended::Stopped => "stopped",
        Ended::Aborted => "aborted",
    };
    let problems: Vec<_> =
        problems.iter().map(|one| json!({ "id": one.id, "problem": one.problem })).collect();
    let canary = canary.map(
        |canary| json!({ "handled": canary.handled, "dead": canary.dead, "undecided": canary.undecided }),
    );
    let document = json!({
        "schema": "bus.dlq-replay/1",
        "replayed": moved,
        "failed": failed,
        "problems": problems,
        "canary": canary,
        "ended": ended,
    });
    format!("{document}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_percentages() {
        let table = [("50/s", Some(50.0)), ("30/m", Some(0.5)), ("36/h", Some(0.01)), ("7", Some(7.0))];
        for (text, wanted) in table {
            assert_eq!(rate(text).ok(), wanted, "{text}");
        }
        for text in ["", "0/s", "-1/s", "50/d", "many/s", "inf/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
        assert_eq!((percent("5%"), percent("2.5"), percent("0%")), (Ok(5.0), Ok(2.5), Ok(0.0)));
        assert!(percent("101%").is_err() && percent("some").is_err());
    }
}
