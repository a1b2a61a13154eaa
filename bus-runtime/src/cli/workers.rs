//! `workers`: who shares the broker, what they have in hand, and what they are asked to do.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::fleet::{self, Line};
use super::table::Table;
use super::{Output, dlq, duration, report};
use crate::app::App;
use crate::error::Error;
use crate::fleet::{Answer, Ask, Heard, Peer, Reply, Report, Whom};

/// Options of `workers`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub struct WorkersArgs {
    #[command(subcommand)]
    command: Option<WorkersCommand>,
    /// Only this worker, by NAME, NAME@HOST or id; as often as you like
    #[arg(short, long = "destination", value_name = "NAME", global = true)]
    destination: Vec<String>,
    /// How long to wait for answers
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5s", global = true)]
    timeout: Duration,
}

const EXAMPLES: &str = "\
Examples:
  workers                                 all of them
  workers inflight -d forge-4711          what this one has in hand, and for how long
  workers quiet -d forge-4711@rabbit-7    it takes nothing new, until `workers resume`
  workers drain --yes                     all of them finish what they have, and end

Workers are asked through the exchange bus.control; BUS_CONTROL=off keeps a worker away from it.";

#[derive(Clone, Debug, Subcommand)]
enum WorkersCommand {
    /// List the workers (the default); nothing is changed
    #[command(visible_alias = "list")]
    Ls,
    /// Ask for a sign of life; 1 when somebody who is there does not answer
    Ping,
    /// List the messages that are being handled, the oldest first
    Inflight,
    /// Let workers take nothing new; they keep their connections, and what they have begun goes on
    Quiet(Consent),
    /// Let workers that are quiet go on
    Resume,
    /// Let workers finish what they have begun and end, as after SIGTERM
    Drain(Consent),
}

#[derive(Args, Clone, Debug)]
struct Consent {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Somebody does not answer, or does not do it.
const SILENT: u8 = 1;
/// The command was refused.
const REFUSED: u8 = 2;

pub(super) fn workers(app: &App, arguments: &WorkersArgs, format: Output) -> ExitCode {
    let done =
        fleet::with(app, "workers", arguments.timeout, async |line| work(&line, arguments, format).await);
    match done {
        Ok(code) => code,
        Err(error) => report::failed(&[error]),
    }
}

async fn work(line: &Line, arguments: &WorkersArgs, format: Output) -> Result<ExitCode, Error> {
    let whom = Whom { named: arguments.destination.clone(), known: Vec::new() };
    let command = arguments.command.as_ref().unwrap_or(&WorkersCommand::Ls);
    let ask = match command {
        WorkersCommand::Ls | WorkersCommand::Ping => Ask::Ping,
        WorkersCommand::Inflight => Ask::Inflight,
        WorkersCommand::Resume => Ask::Resume,
        WorkersCommand::Quiet(consent) => return change(line, Ask::Quiet, consent, &whom, format).await,
        WorkersCommand::Drain(consent) => return change(line, Ask::Drain, consent, &whom, format).await,
    };
    let heard = line.ask_some(ask, &whom).await?;
    let printed = match command {
        WorkersCommand::Inflight => in_hand(&heard, format),
        _ => list(&heard, format),
    };
    let is_look = matches!(command, WorkersCommand::Ls);
    let fine = note(&heard, &whom) && (is_look || heard.silent.is_empty() && !heard.answers.is_empty());
    Ok(if fine { printed } else { ExitCode::from(SILENT) })
}

/// Asks for consent, and then the workers.
async fn change(
    line: &Line,
    ask: Ask,
    Consent { yes }: &Consent,
    whom: &Whom,
    format: Output,
) -> Result<ExitCode, Error> {
    let there = line.ask_some(Ask::Ping, whom).await?;
    let known: Vec<Peer> = there.answers.iter().map(|answer| answer.worker.peer.clone()).collect();
    let word = match known.as_slice() {
        [] => {
            note(&there, whom);
            return Ok(ExitCode::from(SILENT));
        }
        [one] => one.name.clone(),
        _ => "all".to_owned(),
    };
    if !yes && !dlq::confirmed(&impact(ask, &there.answers), &word) {
        return Ok(ExitCode::from(REFUSED));
    }
    // Who has come meanwhile is not among those that were shown.
    let shown = Whom { named: known.iter().map(|peer| peer.id.clone()).collect(), known };
    let heard = line.ask_some(ask, &shown).await?;
    let printed = list(&heard, format);
    let fine = note(&heard, whom) && heard.silent.is_empty() && !heard.answers.is_empty();
    Ok(if fine { printed } else { ExitCode::from(SILENT) })
}

fn impact(ask: Ask, answers: &[Answer]) -> String {
    let mut text = String::new();
    for Answer { worker, .. } in answers {
        let Report { peer, in_flight, state, .. } = worker;
        text.push_str(&format!(
            "  {}   on {}, {} in flight, {}\n",
            peer.name,
            peer.host,
            in_flight,
            state.as_str()
        ));
    }
    let (what, back) = match ask {
        Ask::Quiet => ("take nothing new; what they have begun goes on", "`workers resume` lets them go on."),
        _ => (
            "finish what they have begun and end",
            "Whoever supervises them decides whether they start again.",
        ),
    };
    text.push_str(&format!("They will {what}. {back}\n"));
    text
}

/// Says what is missing; false when that is what was asked for.
fn note(heard: &Heard, whom: &Whom) -> bool {
    for peer in &heard.silent {
        report::warning(&format!("{} on {} has announced itself and does not answer", peer.name, peer.host));
    }
    let mut fine = true;
    for answer in &heard.answers {
        if let Reply::Refused(why) = &answer.reply {
            report::warning(&format!("{}: {why}", answer.worker.peer.name));
            fine = false;
        }
    }
    for word in &whom.named {
        if !heard.answers.iter().any(|answer| answer.worker.peer.is_meant_by(word)) {
            report::warning(&format!("no worker {word} answers"));
            fine = false;
        }
    }
    if heard.answers.is_empty() && whom.named.is_empty() {
        report::note(
            "no worker answers; those with BUS_CONTROL=off, or without the permission for bus.control, are not seen",
        );
    }
    fine
}

/// Every worker as a row, those that do not answer too.
fn list(heard: &Heard, format: Output) -> ExitCode {
    if format != Output::Table {
        let mut items: Vec<Value> = heard.answers.iter().map(|answer| json!(answer.worker)).collect();
        items.extend(heard.silent.iter().map(
            |Peer { id, name, host }| json!({ "id": id, "name": name, "host": host, "state": "silent" }),
        ));
        return print(&json!({ "schema": "bus.workers/1", "items": items }), format);
    }
    let titles = ["name", "version", "host", "pid", "uptime", "handlers", "in flight", "memory", "state"];
    let mut table = Table::new(&titles);
    for Answer { worker, .. } in &heard.answers {
        table.row([
            worker.peer.name.clone(),
            worker.version.clone().unwrap_or_else(|| "-".to_owned()),
            worker.peer.host.clone(),
            worker.pid.to_string(),
            since(worker.uptime_seconds),
            worker.handlers.to_string(),
            worker.in_flight.to_string(),
            worker.memory_bytes.map_or_else(|| "-".to_owned(), megabytes),
            worker.state.as_str().to_owned(),
        ]);
    }
    for Peer { name, host, .. } in &heard.silent {
        let unknown = || "-".to_owned();
        let mut cells = vec![name.clone(), unknown(), host.clone()];
        cells.extend(std::iter::repeat_with(unknown).take(5));
        cells.push("silent".to_owned());
        table.row(cells);
    }
    report::print(&table.render())
}

fn in_hand(heard: &Heard, format: Output) -> ExitCode {
    let mut hands = Vec::new();
    for answer in &heard.answers {
        if let Reply::Inflight(of_worker) = &answer.reply {
            hands.extend(of_worker.iter().map(|hand| (&answer.worker.peer, hand)));
        }
    }
    hands.sort_by(|(_, a), (_, b)| b.since_seconds.total_cmp(&a.since_seconds));
    if format != Output::Table {
        let items: Vec<Value> = hands
            .iter()
            .map(|(peer, hand)| json!({ "worker": peer.name, "host": peer.host, "handler": hand.handler, "since_seconds": hand.since_seconds }))
            .collect();
        return print(&json!({ "schema": "bus.inflight/1", "items": items }), format);
    }
    let mut table = Table::new(&["handler", "for", "worker", "host"]);
    for (peer, hand) in hands {
        table.row([hand.handler.clone(), since(hand.since_seconds), peer.name.clone(), peer.host.clone()]);
    }
    report::print(&table.render())
}

fn print(document: &Value, format: Output) -> ExitCode {
    report::print(&match format {
        Output::Jsonl => report::lines(document),
        Output::Table | Output::Json => format!("{document:#}\n"),
    })
}

/// `1.4s`, `3m 20s`, `5h 12m`.
pub(super) fn since(seconds: f64) -> String {
    // A worker that lies about its time is shown as one that has just begun.
    let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let whole = time.as_secs();
    match whole {
        0..60 => format!("{seconds:.1}s"),
        60..3_600 => format!("{}m {}s", whole / 60, whole % 60),
        3_600..86_400 => format!("{}h {}m", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{}d {}h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

pub(super) fn megabytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "it is rounded anyway")]
    let megabytes = bytes as f64 / 1e6;
    format!("{megabytes:.1} MB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_two_units() {
        for (seconds, text) in
            [(0.04, "0.0s"), (59.94, "59.9s"), (200.0, "3m 20s"), (18_720.0, "5h 12m"), (200_000.0, "2d 7h")]
        {
            assert_eq!(since(seconds), text);
        }
    }
}
