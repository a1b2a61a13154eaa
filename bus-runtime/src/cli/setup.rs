//! `setup`, which is `topology apply`: declare what the handlers need.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::drift::{self, Target};
use super::{Output, block_on, progress, report, run};
use crate::app::App;
use crate::error::Error;
use crate::provision::{Applied, Apply, Doomed, Provision, Recreate};
use crate::topology::diff::{Change, Remedy};

/// Options of `setup` and of `topology apply`.
#[derive(Args, Clone, Debug)]
pub struct SetupArgs {
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Delete queues and exchanges first, with their messages: all of the app, or with =changed those that are declared
    /// otherwise than the code says. Shows what that deletes, and asks
    #[arg(long, value_enum, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    recreate: Option<Which>,
    /// Delete what removed handlers have left behind, as far as it is empty and unused
    #[arg(long)]
    prune: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    All,
    Changed,
}

/// The command was refused: nobody has said yes.
const REFUSED: u8 = 2;
/// What differs still needs more than was asked for.
const DRIFT: u8 = 1;
/// Some of what was asked for could not be done.
const PARTIAL: u8 = 3;

pub(super) fn setup(mut app: App, arguments: &SetupArgs, format: Output) -> ExitCode {
    if let Err(errors) = app.plan() {
        return report::failed(&errors);
    }
    if let Err(error) = app.needs_remote_broker("setup") {
        return report::failed(&[error]);
    }
    arguments.target.apply(&mut app);
    let result = block_on(async {
        let provision = app.provision().await?;
        let told = work(&provision, arguments, format).await;
        provision.transport().close(run::CLOSE_TIMEOUT).await;
        told
    });
    match result.and_then(|told| told) {
        Ok(code) => code,
        Err(error) => report::failed(&[error]),
    }
}

async fn work(provision: &Provision, arguments: &SetupArgs, format: Output) -> Result<ExitCode, Error> {
    let scope = match arguments.recreate {
        None => None,
        Some(Which::All) => Some(Recreate::All),
        Some(Which::Changed) => Some(Recreate::Changed),
    };
    let doomed = match scope {
        None => Vec::new(),
        Some(scope) => provision.doomed(scope).await?,
    };
    if arguments.dry_run {
        let drift = provision.diff().await?;
        return Ok(report::print(&match format {
            Output::Table => drift::table(provision, &drift) + &impact(&doomed, drift.unseen.as_deref()),
            Output::Json => drift::document(provision, &drift, &doomed),
            Output::Jsonl => report::compact(&drift::document(provision, &drift, &doomed)),
        }));
    }
    if !doomed.is_empty() {
        let unseen = provision.diff().await?.unseen;
        if !arguments.yes && !confirmed(provision, &doomed, unseen.as_deref()) {
            return Ok(ExitCode::from(REFUSED));
        }
    }
    let apply = Apply { recreate: doomed, prune: arguments.prune };
    let applied = progress::during("declaring", provision.apply(&apply)).await?;
    let printed = report::print(&match format {
        Output::Table => table(provision, &applied),
        Output::Json => document(&applied),
        Output::Jsonl => report::compact(&document(&applied)),
    });
    let differs = applied.left.changes.iter().any(|change| change.remedy() == Remedy::Recreate);
    Ok(match (differs, applied.held.is_empty()) {
        (true, _) => ExitCode::from(DRIFT),
        (false, false) => ExitCode::from(PARTIAL),
        (false, true) => printed,
    })
}

/// What will be deleted, for people to read before it happens.
fn impact(doomed: &[Doomed], unseen: Option<&str>) -> String {
    let mut text = String::new();
    for one in doomed {
        text.push_str(&match one {
            Doomed::Queue { name, messages, consumers } => {
                format!("  delete queue    {name}   {}\n", drift::load(*messages, *consumers))
            }
            Doomed::Exchange { name } => {
                format!("  delete exchange {name}   unless others are bound to it\n")
            }
        });
    }
    if !doomed.is_empty() {
        let messages = match doomed.iter().map(Doomed::messages).sum::<u64>() {
            1 => "1 message".to_owned(),
            many => format!("{many} messages"),
        };
        text.push_str(&format!(
            "They are declared anew. Deleted for good: {messages}, and those that are being handled.\n"
        ));
        if let Some(why) = unseen {
            text.push_str(&format!(
                "Bindings that others made to them go too: they cannot be seen, as {why}\n"
            ));
        }
    }
    text
}

/// Shows what will be deleted, and asks for the name of the app.
fn confirmed(provision: &Provision, doomed: &[Doomed], unseen: Option<&str>) -> bool {
    let name = &provision.owner.app;
    let mut stderr = std::io::stderr().lock();
    let address = provision.transport().describe().address;
    // Whoever cannot read it cannot say yes either.
    let _ = write!(stderr, "On {address}:\n{}", impact(doomed, unseen));
    if !std::io::stdin().is_terminal() {
        let _ = writeln!(stderr, "Nothing is done: there is no terminal to ask on. To go ahead, say --yes.");
        return false;
    }
    let _ = write!(stderr, "Type the app's name, {name}, to confirm: ");
    let _ = stderr.flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    let yes = read.is_ok() && answer.trim() == name;
    if !yes {
        let _ = writeln!(stderr, "Nothing is done.");
    }
    yes
}

fn table(provision: &Provision, applied: &Applied) -> String {
    let Applied { declared, recreated, pruned, held, left } = applied;
    let mut text = String::new();
    for one in recreated {
        let messages = match one.messages() {
            0 => String::new(),
            1 => ", 1 message deleted".to_owned(),
            many => format!(", {many} messages deleted"),
        };
        text.push_str(&format!("  recreated {}{messages}\n", drift::doomed(one)));
    }
    // What was recreated was missing for a moment.
    let is_new = |change: &&Change| !recreated.iter().any(|one| is_of(change, name(one)));
    let new: Vec<_> = declared.iter().filter(is_new).cloned().collect();
    for line in drift::lines(&new) {
        text.push_str(&format!("  declared  {}\n", line.what));
    }
    for change in pruned {
        text.push_str(&format!("  deleted   {}\n", drift::what(change)));
    }
    for one in held {
        text.push_str(&format!("  kept      {}: {}\n", one.what, one.why));
    }
    let mut summary = match text.is_empty() {
        true => "nothing to do".to_owned(),
        false => "done".to_owned(),
    };
    summary.push_str(&format!(" on {} ({})\n", provision.transport().describe().address, left.server));
    text.push_str(&summary);
    if !left.changes.is_empty() {
        text.push_str("\nstill different:\n");
        text.push_str(&drift::table(provision, left));
    }
    text
}

fn name(doomed: &Doomed) -> &str {
    match doomed {
        Doomed::Queue { name, .. } | Doomed::Exchange { name } => name,
    }
}

/// Whether a change is about this name, or about a binding of it.
fn is_of(change: &Change, name: &str) -> bool {
    match change {
        Change::MissingExchange { name: missing } | Change::MissingQueue { name: missing, .. } => {
            missing == name
        }
        Change::MissingBinding(binding) => binding.destination == name || binding.source == name,
        _ => false,
    }
}

fn document(applied: &Applied) -> String {
    let Applied { declared, recreated, pruned, held, left } = applied;
    let changes = |changes: &[_]| changes.iter().map(drift::value).collect::<Vec<_>>();
    let recreated: Vec<_> = recreated.iter().map(drift::doomed_value).collect();
    let held: Vec<_> = held.iter().map(|one| json!({ "what": one.what, "why": one.why })).collect();
    let document = json!({
        "schema": "bus.setup/1",
        "server": left.server,
        "declared": changes(declared),
        "recreated": recreated,
        "pruned": changes(pruned),
        "held": held,
        "left": changes(&left.changes),
    });
    format!("{document:#}\n")
}
