//! Replaying dead letters: each goes back to the queue that it came from, and is removed when its copy is confirmed.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

pub use super::fates::CanaryFate;
use super::fates::Fates;
use super::{DeadLetters, Found, Selection, Step, Walk};
use crate::error::{Error, ErrorKind};
use crate::names::QueueName;
use crate::observe::spans;
use crate::seam;
use crate::transport::{BoxFuture, Confirmation, Settler, Verdict};
use tracing::Instrument;

/// Copies that wait for their confirm at once: enough to hide the round trip, and as many settlements as RabbitMQ passes on
/// to a quorum queue without holding any back.
const WINDOW: usize = 32;
/// Problems that are told one by one.
const PROBLEMS_MAX: usize = 20;

/// How to replay.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Replay {
    /// Into this queue, instead of those that the letters came from.
    pub to: Option<QueueName>,
    /// At most so many.
    pub limit: Option<u64>,
    /// At most so many a second.
    pub per_second: Option<f64>,
    /// A few first, and the others only when these are well.
    pub canary: Option<Canary>,
    /// Leaves the letters where they are, and publishes copies only.
    pub keep: bool,
    /// Publishes nothing and removes nothing: it only counts.
    pub dry_run: bool,
}

/// A few letters that go first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Canary {
    /// How many.
    pub count: u64,
    /// More than so many percent of them dead again, or undecided, end the replay.
    pub abort_over: f64,
    /// How long to wait for their fate. The retries of their handlers are part of it.
    pub wait: Duration,
}

/// What became of a replay.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Replayed {
    /// Letters whose copies are confirmed. They are removed, unless they were to be kept.
    pub moved: u64,
    /// Letters that stay because their copies could not be published.
    pub failed: u64,
    /// Why, for the first of them.
    pub problems: Vec<Problem>,
    /// What became of those that went first.
    pub canary: Option<CanaryFate>,
    /// Why it ended.
    pub ended: Ended,
}

/// A letter that could not be replayed.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The id of the letter.
    pub id: String,
    /// Why.
    pub problem: String,
}

/// Why a replay ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// There were no more letters.
    #[default]
    Done,
    /// The limit was reached.
    Limit,
    /// It was told to stop.
    Stopped,
    /// Too many of those that went first are dead again, or nothing was heard of them.
    Aborted,
}

/// How far a replay is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Letters that were looked at, meant or not.
    pub seen: u64,
    /// Letters that lay in the queues at the start.
    pub total: u64,
    /// As in [`Replayed`].
    pub moved: u64,
    /// As in [`Replayed`].
    pub failed: u64,
    /// What is known of those that went first, while they are waited for.
    pub canary: Option<CanaryFate>,
}

/// Lets somebody watch a replay and stop it.
pub struct Control<'a> {
    stop: Pin<Box<dyn Future<Output = ()> + Send + 'a>>,
    progress: Box<dyn FnMut(&Progress) + Send + 'a>,
    stopped: bool,
}

impl<'a> Control<'a> {
    /// Stops when the future ends; the messages in hand are finished first.
    #[must_use]
    pub fn new(
        stop: impl Future<Output = ()> + Send + 'a,
        progress: impl FnMut(&Progress) + Send + 'a,
    ) -> Self {
        Self { stop: Box::pin(stop), progress: Box::new(progress), stopped: false }
    }

    /// Waits, unless it is to stop.
    async fn wait(&mut self, waited: impl Future<Output = ()>) {
        if self.stopped {
            return;
        }
        tokio::select! {
            biased;
            () = &mut self.stop => self.stopped = true,
            () = waited => {}
        }
    }

    async fn is_stopped(&mut self) -> bool {
        self.wait(std::future::ready(())).await;
        self.stopped
    }
}

impl Default for Control<'_> {
    fn default() -> Self {
        Self::new(std::future::pending(), |_| {})
    }
}

impl fmt::Debug for Control<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("stopped", &self.stopped).finish_non_exhaustive()
    }
}

impl DeadLetters {
    /// Replays the letters that are meant: each goes to the queue that it came from, by the default exchange, with the body and
    /// the routing key that its handler saw, and with its attempts counted anew. Of several handlers or instances only the one that
    /// failed is called. A letter is removed when the broker has confirmed its copy, so whatever ends a replay, nothing is lost.
    ///
    /// # Errors
    /// What the broker says. What was replayed until then stays so.
    ///
    /// # Cancel safety
    /// When the future is dropped, the letters in hand may have been published and are still there, too.
    pub async fn replay(
        &self,
        selection: &Selection,
        replay: &Replay,
        control: Control<'_>,
    ) -> Result<Replayed, Error> {
        let queues = self.chosen(selection).await?;
        let total = self.count(&queues).await?;
        let fates = match replay.canary {
            Some(canary) if canary.count > 0 && !replay.dry_run => {
                Some(Fates::open(&self.transport, &self.prefix).await?)
            }
            _ => None,
        };
        let mut run = Run {
            letters: self,
            replay,
            control,
            fates,
            sending: FuturesUnordered::new(),
            begun: 0,
            pace: Pace::new(replay.per_second),
            progress: Progress { total, ..Progress::default() },
            replayed: Replayed::default(),
        };
        let mut walk = self.walk(queues, selection);
        let ended = run.walk(&mut walk).await;
        // What is under way is settled before its channel closes, whatever has happened.
        let flushed = run.flush(0).await;
        let closed = walk.end_queue().await;
        if let Some(fates) = run.fates.take() {
            run.replayed.canary.get_or_insert(fates.known());
            fates.close().await;
        }
        match (ended, flushed, closed) {
            (Ok(ended), Ok(()), Ok(())) => Ok(Replayed { ended, ..run.replayed }),
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
                let moved = run.replayed.moved;
                Err(error.with_help(format!(
                    "{moved} letters were replayed before; the others are where they were"
                )))
            }
        }
    }
}

/// One replay.
struct Run<'a> {
    letters: &'a DeadLetters,
    replay: &'a Replay,
    control: Control<'a>,
    /// While the first ones are on their way, or are waited for.
    fates: Option<Fates>,
    sending: FuturesUnordered<BoxFuture<'static, Sent>>,
    /// Letters that were taken to be replayed.
    begun: u64,
    pace: Pace,
    progress: Progress,
    replayed: Replayed,
}

/// A copy that was published, or not.
struct Sent {
    id: String,
    settler: Settler,
    is_canary: bool,
    result: Result<Confirmation, Error>,
}

impl Run<'_> {
    async fn walk(&mut self, walk: &mut Walk<'_>) -> Result<Ended, Error> {
        loop {
            if self.canaries_are_out() && !self.canaries_are_well().await? {
                return Ok(if self.control.stopped { Ended::Stopped } else { Ended::Aborted });
            }
            if self.replay.limit.is_some_and(|limit| self.begun >= limit) {
                return Ok(Ended::Limit);
            }
            if self.control.is_stopped().await {
                return Ok(Ended::Stopped);
            }
            match walk.next().await? {
                Step::Found(found) => {
                    self.control.wait(self.pace.next()).await;
                    if self.control.stopped {
                        return Ok(Ended::Stopped);
                    }
                    self.begin(*found).await?;
                }
                Step::EndOfQueue => {
                    self.flush(0).await?;
                    walk.end_queue().await?;
                }
                Step::End => break,
            }
            self.progress.seen = walk.seen;
            self.tell();
        }
        // There were fewer letters than were to go first.
        let well = self.fates.is_none() || self.canaries_are_well().await?;
        Ok(match (well, self.control.stopped) {
            (true, _) => Ended::Done,
            (false, true) => Ended::Stopped,
            (false, false) => Ended::Aborted,
        })
    }

    fn canaries_are_out(&self) -> bool {
        let all = self.replay.limit.unwrap_or(u64::MAX);
        self.fates.is_some() && self.replay.canary.is_some_and(|canary| self.begun >= canary.count.min(all))
    }

    /// Publishes the copy of a letter.
    async fn begin(&mut self, found: Found) -> Result<(), Error> {
        let Found { letter, settler } = found;
        self.begun += 1;
        if self.replay.dry_run {
            self.replayed.moved += 1;
            return Ok(());
        }
        let mut envelope = match letter.restored(self.replay.to.as_ref()) {
            Ok(envelope) => envelope,
            Err(error) => {
                self.problem(letter.id, &error.to_string());
                return Ok(());
            }
        };
        let is_canary = self.fates.is_some();
        if let Some(fates) = &mut self.fates {
            fates.expect(&mut envelope);
        }
        let span = spans::replay(&*self.letters.transport, &envelope);
        let publishing = self.letters.transport.publish(Arc::new(envelope)).instrument(span.clone());
        let id = letter.id;
        self.sending.push(Box::pin(async move {
            let result = publishing.await;
            spans::sent(&span, &result);
            Sent { id, settler, is_canary, result }
        }));
        self.flush(WINDOW - 1).await
    }

    /// Waits until at most so many copies are under way. A broker that is away ends the replay; what else goes wrong with one
    /// letter concerns that letter alone.
    async fn flush(&mut self, at_most: usize) -> Result<(), Error> {
        while self.sending.len() > at_most {
            let Some(Sent { id, settler, is_canary, result }) = self.sending.next().await else { break };
            let problem = match result {
                Ok(Confirmation::Routed) => {
                    self.replayed.moved += 1;
                    if !self.replay.keep {
                        settler.settle(Verdict::Ack)?;
                    }
                    continue;
                }
                Ok(Confirmation::Unroutable) => {
                    "its queue does not exist; declare it, or name another one".to_owned()
                }
                Err(error) if is_loss(error.kind()) => return Err(error),
                Err(error) => error.to_string(),
            };
            if let (true, Some(fates)) = (is_canary, &mut self.fates) {
                fates.forget_one();
            }
            self.problem(id, &problem);
        }
        Ok(())
    }

    fn problem(&mut self, id: String, problem: &str) {
        self.replayed.failed += 1;
        if self.replayed.problems.len() < PROBLEMS_MAX {
            self.replayed.problems.push(Problem { id, problem: problem.to_owned() });
        }
    }

    /// Waits for the fate of those that went first, and says whether the others may follow.
    async fn canaries_are_well(&mut self) -> Result<bool, Error> {
        self.flush(0).await?;
        let (Some(canary), Some(mut fates)) = (self.replay.canary, self.fates.take()) else {
            return Ok(true);
        };
        let deadline = seam::now() + canary.wait;
        let sent = fates.known().undecided + fates.known().dead + fates.known().handled;
        let share = |count: u64| count as f64 * 100.0 / (sent.max(1) as f64);
        while fates.known().undecided > 0 && share(fates.known().dead) <= canary.abort_over {
            let heard = tokio::time::timeout_at(deadline, fates.next());
            let mut over = false;
            self.control.wait(async { over = heard.await.is_err() }).await;
            if over || self.control.stopped {
                break;
            }
            self.progress.canary = Some(fates.known());
            self.tell();
        }
        let known = fates.known();
        fates.close().await;
        self.replayed.canary = Some(known);
        Ok(!self.control.stopped && share(known.dead + known.undecided) <= canary.abort_over)
    }

    fn tell(&mut self) {
        (self.progress.moved, self.progress.failed) = (self.replayed.moved, self.replayed.failed);
        (self.control.progress)(&self.progress);
    }
}

/// Whether the broker cannot be talked to: the next letter would fare no better.
fn is_loss(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Disconnected | ErrorKind::TimedOut | ErrorKind::Closed)
}

/// At most so many a second, evenly.
struct Pace {
    pause: Option<Duration>,
    due: Instant,
}

impl Pace {
    fn new(per_second: Option<f64>) -> Self {
        let pause = per_second.and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok());
        Self { pause, due: seam::now() }
    }

    /// Waits for the turn of the next one. What was slower than allowed is not made up for.
    async fn next(&mut self) {
        let Some(pause) = self.pause else { return };
        let now = seam::now();
        self.due = self.due.max(now);
        let wait = self.due - now;
        self.due += pause;
        seam::sleep(wait).await;
    }
}
