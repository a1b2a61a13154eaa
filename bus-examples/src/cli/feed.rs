//! `forge feed`: publishes what is in a repository or in a mail folder.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bus_runtime::Bus;
use bus_runtime::cli::Options;
use clap::{Args, Subcommand};

use crate::Forge;
use crate::feed::git::{GitError, History};
use crate::feed::mbox::MboxError;
use crate::feed::{Fed, FeedError, Feeder};
use crate::mail::Destination;
use crate::progress::Progress;
use crate::summary::Summary;

/// Options of `feed`.
#[derive(Args, Debug)]
pub(super) struct FeedArgs {
    /// Leave it to other workers to handle what is published
    #[arg(long, global = true)]
    publish_only: bool,
    #[command(subcommand)]
    source: Source,
}

#[derive(Debug, Subcommand)]
enum Source {
    /// Publish every commit of a git repository on `react`, as scm.commit
    Git {
        /// The repository
        repository: PathBuf,
        /// How many commits, counted from the newest [default: all]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        limit: Option<u64>,
    },
    /// Publish every part of every mail of an mbox on `audit`, as mail.part
    Mbox {
        /// The mail folder, or - for the standard input
        folder: PathBuf,
        /// The project of mails without an address of the forge
        #[arg(long, value_name = "NAME", default_value = "forge")]
        project: String,
    },
}

/// What is fed, opened.
enum Input {
    /// A repository without commits.
    Nothing,
    Commits(History),
    Mails(Box<dyn BufRead + Send>, Destination),
}

/// Some mails, or parts of mails, were left out.
const PARTIAL: u8 = 3;

/// Stopped by Ctrl-C, as shells say it.
const INTERRUPTED: u8 = 130;

pub(super) async fn feed(arguments: FeedArgs, options: &Options) -> Result<ExitCode, FeedError> {
    let FeedArgs { publish_only, source } = arguments;
    let input = source.open()?;
    let forge = Forge::default();
    let mut config = options.config()?;
    if publish_only {
        // The queues are declared and nobody consumes them here: a broker that ends with this process is of no use then.
        config.require_broker = true;
        config.exclude = vec!["*".to_owned()];
    }
    let bus = forge.app().config(config).start().await?;
    let code = tokio::select! {
        done = run(&bus, &forge, input) => done,
        _ = tokio::signal::ctrl_c() => Ok(ExitCode::from(INTERRUPTED)),
    };
    bus.shutdown().await;
    code
}

async fn run(bus: &Bus, forge: &Forge, input: Input) -> Result<ExitCode, FeedError> {
    let progress = input.progress();
    let mut feeder = Feeder::new(bus, &progress);
    match input {
        Input::Nothing => {}
        Input::Commits(history) => feeder.git(history).await?,
        Input::Mails(folder, default) => feeder.mbox(folder, default).await?,
    }
    let fed = feeder.fed;
    progress.finish();
    super::print(&Summary::of(bus, forge, fed).await?);
    Ok(exit_code(fed))
}

fn exit_code(fed: Fed) -> ExitCode {
    if fed.left_out == 0 { ExitCode::SUCCESS } else { ExitCode::from(PARTIAL) }
}

impl Source {
    fn open(self) -> Result<Input, FeedError> {
        match self {
            Self::Git { repository, limit } => match History::of(&repository, limit) {
                Ok(history) => Ok(Input::Commits(history)),
                Err(error @ GitError::Empty { .. }) => {
                    super::note(&error.to_string());
                    Ok(Input::Nothing)
                }
                Err(error) => Err(error.into()),
            },
            Self::Mbox { folder, project } => {
                Ok(Input::Mails(open(&folder)?, Destination::new(&project, "mail")))
            }
        }
    }
}

impl Input {
    fn progress(&self) -> Progress {
        match self {
            Self::Nothing => Progress::of("publishing commits", Some(0)),
            Self::Commits(history) => Progress::of("publishing commits", Some(history.total())),
            Self::Mails(..) => Progress::of("publishing mails", None),
        }
    }
}

fn open(folder: &Path) -> Result<Box<dyn BufRead + Send>, MboxError> {
    if folder == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    match std::fs::File::open(folder) {
        Ok(file) => Ok(Box::new(BufReader::new(file))),
        Err(source) => Err(MboxError::Open { path: folder.to_owned(), source }),
    }
}
