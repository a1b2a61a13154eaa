//! `dlq`: look at dead letters, replay them, move them into files and out of them, delete them.

use std::io::{BufRead, BufReader, BufWriter, Cursor, IsTerminal, Read, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::progress::{self, Lines};
use super::{Output, block_on, report, run};
use crate::app::App;
use crate::dead_letters::{DeadLetters, LineError, Selection};
use crate::error::{Error, ErrorKind};
use crate::names::QueueName;
use crate::seam;

mod choose;
mod edit;
mod layout;
mod print;
mod replay;

use choose::Choose;

/// Options of `dlq`.
#[derive(Args, Clone, Debug)]
pub struct DlqArgs {
    #[command(subcommand)]
    command: DlqCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum DlqCommand {
    /// List dead letters; nothing is changed
    #[command(visible_alias = "list")]
    Ls(ListArgs),
    /// Sort dead letters by what went wrong; nothing is changed
    Groups(GroupsArgs),
    /// Tell in plain words what happened to one; nothing is changed
    Show(ShowArgs),
    /// Count dead letters by queue and reason; nothing is changed
    Stats(GroupsArgs),
    /// Send dead letters back to the handlers that failed
    Replay(replay::ReplayArgs),
    /// Change the body or a header of a dead letter, in $VISUAL or $EDITOR or with --body and --set; shows the difference
    Edit(edit::EditArgs),
    /// Write dead letters as JSON lines; they stay where they are
    Export(ExportArgs),
    /// Put exported dead letters back among the dead letters
    Import(ImportArgs),
    /// Delete dead letters; shows how many, and asks
    Purge(PurgeArgs),
}

#[derive(Args, Clone, Debug)]
struct ListArgs {
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    choose: Choose,
}

#[derive(Args, Clone, Debug)]
struct GroupsArgs {
    #[command(flatten)]
    choose: Choose,
}

#[derive(Args, Clone, Debug)]
struct ShowArgs {
    /// The id of the letter, as `dlq ls` tells it, or of the message
    id: String,
    /// In the dead letters of this queue
    #[arg(long, value_name = "QUEUE")]
    queue: Vec<String>,
    /// As a test in Rust that publishes the same message
    #[arg(long)]
    as_test: bool,
}

#[derive(Args, Clone, Debug)]
struct ExportArgs {
    /// The file; standard output without one
    #[arg(value_name = "FILE")]
    file: Option<String>,
    #[command(flatten)]
    choose: Choose,
}

#[derive(Args, Clone, Debug)]
struct ImportArgs {
    /// The file, or - for standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Into this queue of dead letters, instead of those that the letters were exported from
    #[arg(long, value_name = "QUEUE")]
    to: Option<String>,
    /// Only check the file
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args, Clone, Debug)]
struct PurgeArgs {
    /// Only tell what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    choose: Choose,
}

/// The command was refused, or its input is wrong.
const REFUSED: u8 = 2;
/// There is no such letter.
const NOT_FOUND: u8 = 1;

pub(super) fn dlq(app: &App, arguments: &DlqArgs, format: Output) -> ExitCode {
    let done = is_remote(app).and_then(|()| {
        block_on(async {
            let letters = app.dead_letters().await?;
            let done = work(&letters, &app.app_name(), arguments, format).await;
            letters.transport().close(run::CLOSE_TIMEOUT).await;
            done
        })?
    });
    match done {
        Ok(code) => code,
        Err(error) => report::failed(&[error]),
    }
}

/// The embedded broker is empty here, whatever lies in that of a running program.
fn is_remote(app: &App) -> Result<(), Error> {
    if !app.is_embedded()? {
        return Ok(());
    }
    Err(Error::new(ErrorKind::NoBroker, "`dlq` needs a broker, and none is configured").with_help(
        "set BROKER_URL=amqp://user:password@host:5672\nthe dead letters of an embedded broker live in the process that runs it: see them there with Bus::dead_letters, in tests with TestBus::dead_letters",
    ))
}

async fn work(
    letters: &DeadLetters,
    app: &str,
    DlqArgs { command }: &DlqArgs,
    format: Output,
) -> Result<ExitCode, Error> {
    match command {
        DlqCommand::Ls(arguments) => {
            let listing = letters.list(&arguments.choose.selection()?, arguments.limit).await?;
            Ok(report::print(&print::listing(&listing, format)))
        }
        DlqCommand::Groups(arguments) => {
            let groups = letters.groups(&arguments.choose.selection()?).await?;
            Ok(report::print(&print::groups(&groups, format)))
        }
        DlqCommand::Stats(arguments) => {
            let stats = letters.stats(&arguments.choose.selection()?).await?;
            Ok(report::print(&print::stats(&stats, format)))
        }
        DlqCommand::Show(arguments) => show(letters, app, arguments, format).await,
        DlqCommand::Replay(arguments) => replay::replay(letters, arguments, format).await,
        DlqCommand::Edit(arguments) => edit::edit(letters, arguments, format).await,
        DlqCommand::Export(arguments) => export(letters, arguments).await,
        DlqCommand::Import(arguments) => import(letters, arguments).await,
        DlqCommand::Purge(arguments) => purge(letters, app, arguments, format).await,
    }
}

async fn show(
    letters: &DeadLetters,
    app: &str,
    arguments: &ShowArgs,
    format: Output,
) -> Result<ExitCode, Error> {
    let ShowArgs { id, queue, as_test } = arguments;
    let mut selection = Selection::default();
    selection.queues.clone_from(queue);
    selection.ids = vec![id.clone()];
    let found = letters.list(&selection, SAME_ID_MAX).await?.letters;
    if found.is_empty() {
        report::warning(&format!("there is no dead letter {id}; `dlq ls` lists them"));
        return Ok(ExitCode::from(NOT_FOUND));
    }
    if *as_test {
        let tests: Vec<_> = found.iter().map(|letter| print::test(letter, app)).collect();
        return Ok(report::print(&tests.join("\n")));
    }
    let now = seam::wall_clock();
    let shown: Vec<_> = found.iter().map(|letter| print::letter(letter, now, format)).collect();
    Ok(report::print(&shown.join("\n")))
}

/// Letters of one message that are shown: each of its handlers may have given it up.
const SAME_ID_MAX: usize = 20;

async fn export(letters: &DeadLetters, arguments: &ExportArgs) -> Result<ExitCode, Error> {
    let selection = arguments.choose.selection()?;
    let to: Box<dyn Write + Send> = match arguments.file.as_deref() {
        None | Some("-") => Box::new(BufWriter::new(std::io::stdout())),
        Some(path) => {
            let file = std::fs::File::create(path).map_err(|error| unusable("write", path, error))?;
            Box::new(BufWriter::new(file))
        }
    };
    let count = letters.export(&selection, Lines::new("exporting", to, None)).await?;
    report::note(&format!("exported {}; they stay where they are", print::letters(count)));
    Ok(ExitCode::SUCCESS)
}

fn unusable(what: &str, path: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Codec, format!("can't {what} {path}")).with_source(error)
}

/// Everything is checked before anything is imported.
async fn import(letters: &DeadLetters, arguments: &ImportArgs) -> Result<ExitCode, Error> {
    let ImportArgs { file, to, dry_run } = arguments;
    let mut input = Vec::new();
    let open = || -> Result<Box<dyn BufRead + Send>, Error> {
        let opened = std::fs::File::open(file).map_err(|error| unusable("read", file, error))?;
        Ok(Box::new(BufReader::new(opened)))
    };
    let from_stdin = file == "-";
    if from_stdin {
        // It can be read only once.
        std::io::stdin()
            .lock()
            .read_to_end(&mut input)
            .map_err(|error| unusable("read", "standard input", error))?;
    }
    let checked = match from_stdin {
        true => DeadLetters::check(input.as_slice()),
        false => DeadLetters::check(open()?),
    };
    let count = match checked {
        Ok(count) => count,
        Err(mistakes) => return Err(mistaken(file, &mistakes)),
    };
    if *dry_run {
        report::note(&format!("the file is fine: {}; nothing is imported", print::letters(count)));
        return Ok(ExitCode::SUCCESS);
    }
    let to = to.as_deref().map(QueueName::new).transpose()?;
    let imported = match from_stdin {
        true => letters.import(Lines::new("importing", Cursor::new(input), Some(count)), to.as_ref()).await?,
        false => letters.import(Lines::new("importing", open()?, Some(count)), to.as_ref()).await?,
    };
    report::note(&format!("imported {}", print::letters(imported.letters)));
    Ok(ExitCode::SUCCESS)
}

fn mistaken(file: &str, mistakes: &[LineError]) -> Error {
    let told: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    Error::new(ErrorKind::Codec, format!("{file} can't be imported; nothing is done"))
        .with_help(told.join("\n"))
}

async fn purge(
    letters: &DeadLetters,
    app: &str,
    arguments: &PurgeArgs,
    format: Output,
) -> Result<ExitCode, Error> {
    let selection = arguments.choose.selection()?;
    let stats = letters.stats(&selection).await?;
    let total: u64 = stats.iter().map(|queue| queue.letters).sum();
    let impact = print::impact(&stats, total, seam::wall_clock());
    if arguments.dry_run || total == 0 {
        report::note(impact.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let mut affected = stats.iter().filter(|queue| queue.letters > 0);
    let name = match (affected.next(), affected.next()) {
        (Some(only), None) => only.queue.to_string(),
        _ => app.to_owned(),
    };
    if !arguments.yes && !confirmed(&impact, &name) {
        return Ok(ExitCode::from(REFUSED));
    }
    let deleted = progress::during("deleting", letters.purge(&selection)).await?;
    Ok(report::print(&match format {
        Output::Table => format!("deleted {}\n", print::letters(deleted)),
        Output::Json | Output::Jsonl => {
            format!("{}\n", json!({ "schema": "bus.dlq-purge/1", "deleted": deleted }))
        }
    }))
}

/// Shows what will be deleted, and asks for a name.
pub(super) fn confirmed(impact: &str, name: &str) -> bool {
    let mut stderr = std::io::stderr().lock();
    // Whoever cannot read it cannot say yes either.
    let _ = write!(stderr, "{impact}");
    if !std::io::stdin().is_terminal() {
        let _ = writeln!(stderr, "Nothing is done: there is no terminal to ask on. To go ahead, say --yes.");
        return false;
    }
    let _ = write!(stderr, "Type {name} to confirm: ");
    let _ = stderr.flush();
    let mut answer = String::new();
    let yes = std::io::stdin().lock().read_line(&mut answer).is_ok() && answer.trim() == name;
    if !yes {
        let _ = writeln!(stderr, "Nothing is done.");
    }
    yes
}
