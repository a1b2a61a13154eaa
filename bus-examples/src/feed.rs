//! What goes into the forge from outside: the history of a git repository, and mail folders.

use std::io::BufRead;
use std::time::Duration;

use bus_runtime::{Bus, Publish};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;

use crate::mail::Destination;
use crate::progress::Progress;
use crate::scm::Commit;

pub mod git;
pub mod mbox;

/// Messages that are published before the first of them is confirmed: it hides the way to the broker and back.
const UNCONFIRMED_MAX: usize = 64;

/// Messages that may wait for one handler: the feed pauses rather than filling the memory of an embedded broker.
const BACKLOG_MAX: u64 = 10_000;

/// How many messages are published between two looks at the backlog.
const BACKLOG_LOOK_EVERY: u64 = 1000;

/// How long the feed pauses when the backlog is too long.
const BACKLOG_PAUSE: Duration = Duration::from_millis(20);

/// Commits or mails that are read ahead; a mail may be large.
const READ_AHEAD: usize = 4;

/// Why a feed stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// The repository cannot be read.
    #[error(transparent)]
    Git(#[from] git::GitError),
    /// The mail folder cannot be read.
    #[error(transparent)]
    Mbox(#[from] mbox::MboxError),
    /// A message cannot be published.
    #[error(transparent)]
    Bus(#[from] bus_runtime::Error),
    /// The thread that reads is gone.
    #[error("reading was interrupted")]
    Reader(#[from] tokio::task::JoinError),
    /// There is no async runtime.
    #[error("the async runtime cannot be started")]
    Runtime(#[from] std::io::Error),
}

/// What has been fed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fed {
    /// Commits that were published.
    pub commits: u64,
    /// Parts of mails that were published.
    pub parts: u64,
    /// Mails, and parts of mails, that were left out.
    pub left_out: u64,
}

/// Publishes what it is fed with.
#[derive(Debug)]
pub struct Feeder<'a> {
    bus: &'a Bus,
    progress: &'a Progress,
    unconfirmed: FuturesUnordered<<Publish as IntoFuture>::IntoFuture>,
    published: u64,
    /// What has been fed so far.
    pub fed: Fed,
}

impl<'a> Feeder<'a> {
    /// Publishes on that bus, and shows how it goes.
    #[must_use]
    pub fn new(bus: &'a Bus, progress: &'a Progress) -> Self {
        Self { bus, progress, unconfirmed: FuturesUnordered::new(), published: 0, fed: Fed::default() }
    }

    /// Publishes every commit as `scm.commit` on `react`.
    ///
    /// # Errors
    /// What keeps the rest of the history from being read or published.
    pub async fn git(&mut self, history: git::History) -> Result<(), FeedError> {
        let (mut commits, reader) = read_ahead(history);
        while let Some(commit) = commits.recv().await {
            self.commit(&commit?).await?;
        }
        reader.await?;
        self.confirm_all().await
    }

    /// Publishes these commits in the same way.
    ///
    /// # Errors
    /// What keeps them from being published.
    pub async fn commits(&mut self, commits: impl IntoIterator<Item = Commit>) -> Result<(), FeedError> {
        for commit in commits {
            self.commit(&commit).await?;
        }
        self.confirm_all().await
    }

    async fn commit(&mut self, commit: &Commit) -> Result<(), FeedError> {
        self.publish(self.bus.react("scm.commit", commit)).await?;
        self.fed.commits += 1;
        self.progress.step();
        Ok(())
    }

    /// Publishes every part of every mail as `mail.part` on `audit`. Mails without an address of the forge go to `default`.
    ///
    /// # Errors
    /// What keeps the rest of the folder from being read or published. A mail that cannot be read is reported and left out.
    pub async fn mbox<R>(&mut self, folder: R, default: Destination) -> Result<(), FeedError>
    where
        R: BufRead + Send + 'static,
    {
        let mails = mbox::Mails::new(folder);
        let (mut mails, reader) =
            read_ahead(mails.map(move |mail| mail.map(|raw| mbox::Mail::parse(&raw, &default))));
        let mut number = 0;
        while let Some(mail) = mails.recv().await {
            number += 1;
            match mail {
                Ok(Ok(mail)) => self.mail(mail).await?,
                Ok(Err(malformed)) => self.leave_out(&format!("mail {number}: {malformed}")),
                Err(too_large @ mbox::MboxError::TooLarge { .. }) => self.leave_out(&too_large.to_string()),
                Err(error) => return Err(error.into()),
            }
            self.progress.step();
        }
        reader.await?;
        self.confirm_all().await
    }

    async fn mail(&mut self, mail: mbox::Mail) -> Result<(), FeedError> {
        for skipped in mail.skipped {
            self.leave_out(&skipped.to_string());
        }
        for part in mail.parts {
            self.publish(self.bus.audit("mail.part", &part)).await?;
            self.fed.parts += 1;
        }
        Ok(())
    }

    fn leave_out(&mut self, why: &str) {
        self.fed.left_out += 1;
        self.progress.say(&format!("left out: {why}"));
    }

    async fn publish(&mut self, message: Publish) -> Result<(), FeedError> {
        if self.published.is_multiple_of(BACKLOG_LOOK_EVERY) {
            self.wait_for_handlers().await?;
        }
        self.published += 1;
        self.unconfirmed.push(message.into_future());
        if self.unconfirmed.len() >= UNCONFIRMED_MAX {
            self.unconfirmed.next().await.transpose()?;
        }
        Ok(())
    }

    async fn confirm_all(&mut self) -> Result<(), FeedError> {
        while let Some(confirmed) = self.unconfirmed.next().await {
            confirmed?;
        }
        Ok(())
    }

    async fn wait_for_handlers(&self) -> Result<(), FeedError> {
        for queue in &self.bus.plan().queues {
            while self.bus.transport().inspect(&queue.name).await?.is_some_and(|now| now.ready > BACKLOG_MAX)
            {
                tokio::time::sleep(BACKLOG_PAUSE).await;
            }
        }
        Ok(())
    }
}

/// Reads on a thread of the pool for blocking work, a few items ahead.
fn read_ahead<T: Send + 'static>(
    items: impl Iterator<Item = T> + Send + 'static,
) -> (mpsc::Receiver<T>, tokio::task::JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    let reader = tokio::task::spawn_blocking(move || {
        for item in items {
            if sender.blocking_send(item).is_err() {
                // Whoever wanted the items is gone.
                return;
            }
        }
    });
    (receiver, reader)
}
