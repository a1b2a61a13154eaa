//! The command line of the forge: its feeds and its demo, beside the commands that every Bus program has.

use std::error::Error;
use std::future::Future;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use bus_runtime::cli::{Command as BusCommand, Options};
use clap::{Args, Parser, Subcommand};

use crate::Forge;
use crate::demo::{COMMITS_DEFAULT, demo};
use crate::feed::FeedError;
use crate::feed::git::GitError;
use crate::feed::mbox::MboxError;
use crate::summary::Summary;

mod feed;

/// A small forge made of message handlers. Without a command it runs the demo.
#[derive(Debug, Parser)]
#[command(name = "forge", version, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Feed a repository and a few mails through all handlers, on the embedded broker (the default)
    Demo(DemoArgs),
    /// Publish what is in a repository or in a mail folder, and handle it
    Feed(feed::FeedArgs),
    #[command(flatten)]
    Bus(BusCommand),
}

#[derive(Args, Debug)]
struct DemoArgs {
    /// The repository
    #[arg(default_value = ".")]
    repository: PathBuf,
    /// How many commits, counted from the newest
    #[arg(long, value_name = "N", default_value_t = COMMITS_DEFAULT, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
}

impl Default for DemoArgs {
    fn default() -> Self {
        Self { repository: PathBuf::from("."), limit: COMMITS_DEFAULT }
    }
}

/// The command line, or what it names, is wrong.
const USAGE: u8 = 2;

/// Runs what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { options, command } = Cli::parse();
    let done = match command.unwrap_or_else(|| Command::Demo(DemoArgs::default())) {
        Command::Bus(command) => return Forge::default().app().execute(command, &options),
        Command::Demo(arguments) => block_on(run_demo(arguments)),
        Command::Feed(arguments) => block_on(feed::feed(arguments, &options)),
    };
    done.unwrap_or_else(|error| failed(&error))
}

async fn run_demo(DemoArgs { repository, limit }: DemoArgs) -> Result<ExitCode, FeedError> {
    let summary = demo(&repository, limit, note).await?;
    print(&summary);
    Ok(ExitCode::SUCCESS)
}

/// Runs a future to its end. Whoever still waits for the standard input then is not waited for.
fn block_on<T>(future: impl Future<Output = Result<T, FeedError>>) -> Result<T, FeedError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(future);
    runtime.shutdown_background();
    done
}

/// Results go to the standard output; when nobody reads it, that is as well.
fn print(summary: &Summary) {
    let _ = write!(io::stdout(), "{summary}");
}

/// Everything else goes to the standard error.
fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says what went wrong, its causes and the way out, and finds the exit code for it.
fn failed(error: &FeedError) -> ExitCode {
    note(&format!("error: {error}"));
    let mut cause = error.source();
    while let Some(error) = cause {
        note(&format!("  cause: {error}"));
        cause = error.source();
    }
    match error {
        FeedError::Bus(error) => {
            if let Some(help) = error.help() {
                note(&format!("  help: {help}"));
            }
            ExitCode::from(error.kind().exit_code())
        }
        FeedError::Git(GitError::NoGit | GitError::NoRepository { .. })
        | FeedError::Mbox(MboxError::NotAnMbox(_) | MboxError::Open { .. }) => ExitCode::from(USAGE),
        _ => ExitCode::FAILURE,
    }
}
