//! The demo: the history of a repository and a few mails, through all handlers of the forge, in one process.

use std::num::NonZeroU64;
use std::path::Path;

use bus_runtime::{Bus, EmbeddedBroker};

use crate::Forge;
use crate::faults::Faults;
use crate::feed::git::{GitError, History, Origin};
use crate::feed::{FeedError, Feeder};
use crate::mail::Destination;
use crate::progress::Progress;
use crate::summary::Summary;
use crate::tracker::OpenTicket;

mod sample;

/// One commit in so many fails at its first attempt.
const FAULTS_ONE_IN: NonZeroU64 = NonZeroU64::new(50).unwrap();

/// How many commits the demo takes at most, unless it is told otherwise: it is to end within seconds.
pub const COMMITS_DEFAULT: u64 = 2000;

/// What the demo publishes as a commit although it is none.
const MALFORMED: &str = "this is not JSON";

/// Feeds the newest commits of the repository that `path` is in through the forge; without a repository, a small history that is
/// built in. The broker is the embedded one, whatever the environment says.
///
/// # Errors
/// What keeps the demo from going on. Having no repository is no error.
pub async fn demo(path: &Path, limit: u64, say: impl Fn(&str)) -> Result<Summary, FeedError> {
    let forge = Forge { faults: Faults::one_in(FAULTS_ONE_IN), ..Forge::default() };
    let bus = forge.app().embedded(&EmbeddedBroker::new()).start().await?;
    let summary = run(&bus, &forge, path, limit, say).await;
    bus.shutdown().await;
    summary
}

async fn run(
    bus: &Bus,
    forge: &Forge,
    path: &Path,
    limit: u64,
    say: impl Fn(&str),
) -> Result<Summary, FeedError> {
    let history = find_history(path, limit, say)?;
    let total = history.as_ref().map_or(sample::COMMITS.len() as u64, History::total);
    let origin =
        history.as_ref().map_or_else(sample::origin, |history| Origin::of_repository(history.repository()));

    let ticket = bus.execute(OpenTicket { summary: "Show what the forge can do".into() }).await?;
    let progress = Progress::of("publishing commits", Some(total));
    let mut feeder = Feeder::new(bus, &progress);
    match history {
        Some(history) => feeder.git(history).await?,
        None => feeder.commits(sample::commits(&origin)).await?,
    }
    progress.finish();
    let mails = std::io::Cursor::new(sample::mails(&origin.project_id, ticket));
    feeder.mbox(mails, Destination::new(&origin.project_id, "mail")).await?;
    bus.publish_raw("react", "scm.commit", MALFORMED).await?;
    Ok(Summary::of(bus, forge, feeder.fed).await?)
}

/// The history of the repository, when there is one; says what is fed.
fn find_history(path: &Path, limit: u64, say: impl Fn(&str)) -> Result<Option<History>, FeedError> {
    match History::of(path, Some(limit)) {
        Ok(history) => {
            let (total, repository) = (history.total(), history.repository().display());
            say(&match total {
                total if total >= limit => format!("the newest {total} commits of {repository}"),
                1 => format!("the only commit of {repository}: is it a shallow clone?"),
                total => format!("all {total} commits of {repository}"),
            });
            Ok(Some(history))
        }
        Err(error @ (GitError::NoGit | GitError::NoRepository { .. } | GitError::Empty { .. })) => {
            say(&format!("{error}: this is a small history that is built in"));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
