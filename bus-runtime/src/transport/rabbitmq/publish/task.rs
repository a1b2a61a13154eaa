//! The task that owns the publishing channel.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::Channel;
use lapin::options::BasicPublishOptions;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};

use super::channel::{Change, ChannelState, OpenChannel};
use super::in_flight::{InFlight, Sequence};
use super::{IN_FLIGHT_MAX, Job};
use crate::error::{Error, ErrorKind};
use crate::transport::rabbitmq::connection::Link;
use crate::transport::rabbitmq::reply::{self, Request};
use crate::transport::{BoxFuture, Confirmation};

/// A channel whose oldest publish has waited so much longer than anybody waits for it is given up.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// A channel that was nacked is replaced when it is so old. Channels of RabbitMQ 3.10 may go on to refuse every message for a quorum
/// queue whose leader has died, long after there is another one; a new channel asks who that is. A queue that is full refuses
/// messages on any channel, and one channel in two seconds costs nothing.
const RENEWED_AFTER: Duration = Duration::from_secs(2);
/// How long nothing is written so that what is under way may end first.
const HELD_FOR: Duration = Duration::from_millis(500);

type Answer = (Sequence, lapin::Result<lapin::Confirmation>);

pub(super) struct Task {
    link: Arc<Link>,
    jobs: mpsc::Receiver<Job>,
    /// Somebody waits for all that is under way.
    closing: Arc<Notify>,
    /// To be written, in this order.
    waiting: VecDeque<Job>,
    in_flight: InFlight,
    answers: FuturesUnordered<BoxFuture<'static, Answer>>,
    channel: ChannelState,
    /// So many publishes go one at a time: one of them ends the channel, and the broker did not say which.
    one_by_one: usize,
}

/// What the task was woken by.
enum Wakeup {
    Job(Option<Job>),
    Answer(Answer),
    Channel(Change),
    Closing,
    Late,
}

impl OpenChannel {
    fn is_to_be_renewed(&self) -> bool {
        self.was_nacked && self.opened.elapsed() >= RENEWED_AFTER
    }
}

impl Task {
    pub(super) fn new(link: Arc<Link>, jobs: mpsc::Receiver<Job>, closing: Arc<Notify>) -> Self {
        Self {
            channel: ChannelState::opening(&link),
            link,
            jobs,
            closing,
            waiting: VecDeque::new(),
            in_flight: InFlight::default(),
            answers: FuturesUnordered::new(),
            one_by_one: 0,
        }
    }

    /// Ends when the transport is dropped and nothing is under way any more.
    pub(super) async fn run(mut self) {
        loop {
            match self.wakeup().await {
                Wakeup::Job(Some(job)) => self.waiting.push_back(job),
                Wakeup::Job(None) => break,
                Wakeup::Answer(answer) => self.answered(answer),
                Wakeup::Channel(Change::Opened(Ok(open))) => self.channel = ChannelState::Open(open),
                Wakeup::Channel(Change::Opened(Err(error))) if error.kind() == ErrorKind::Closed => break,
                Wakeup::Channel(Change::Opened(Err(error))) => {
                    tracing::debug!(%error, "cannot open a channel to publish");
                    self.channel.open_again(&self.link);
                }
                Wakeup::Channel(Change::Blocked) => {}
                // What nobody waits for any more keeps nobody waiting.
                Wakeup::Closing => self.waiting.retain(Job::is_wanted),
                Wakeup::Late => self.give_up_late(),
            }
            while let Ok(job) = self.jobs.try_recv() {
                self.waiting.push_back(job);
            }
            self.write();
        }
        self.jobs.close();
        while let Ok(job) = self.jobs.try_recv() {
            self.waiting.push_back(job);
        }
        for mut job in self.waiting.into_iter().chain(self.in_flight.take()) {
            job.end(Err(reply::closed()));
        }
    }

    async fn wakeup(&mut self) -> Wakeup {
        let deadline = self.next_deadline();
        let late = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let has_answers = !self.answers.is_empty();
        tokio::select! {
            biased;
            answer = self.answers.next(), if has_answers => match answer {
                Some(answer) => Wakeup::Answer(answer),
                None => Wakeup::Late,
            },
            () = late => Wakeup::Late,
            change = self.channel.changed() => Wakeup::Channel(change),
            () = self.closing.notified() => Wakeup::Closing,
            job = self.jobs.recv() => Wakeup::Job(job),
        }
    }

    fn next_deadline(&mut self) -> Option<Instant> {
        let waiting = self.waiting.iter().map(|job| job.deadline).min();
        let written = self.in_flight.jobs_mut().find(|job| job.reply.is_some()).map(|job| job.deadline);
        let stuck = self.stuck_at();
        let held = match &self.channel {
            ChannelState::Open(open) if open.is_to_be_renewed() => {
                Some(open.opened + RENEWED_AFTER + HELD_FOR)
            }
            _ => None,
        };
        [waiting, written, stuck, held].into_iter().flatten().min()
    }

    /// Replaces a channel that was nacked, as soon as nothing is under way on it. Says whether nothing may be written meanwhile.
    fn renews(&mut self) -> bool {
        let ChannelState::Open(open) = &mut self.channel else { return false };
        if !open.is_to_be_renewed() {
            return false;
        }
        if self.in_flight.len() == 0 {
            tracing::debug!("messages were refused: a new channel publishes the next ones");
            self.channel = ChannelState::opening(&self.link);
            return true;
        }
        if open.opened.elapsed() < RENEWED_AFTER + HELD_FOR {
            return true;
        }
        // Something takes long. Another time, then.
        (open.opened, open.was_nacked) = (Instant::now(), false);
        false
    }

    /// When to give the channel up, unless the broker says why it confirms nothing.
    fn stuck_at(&mut self) -> Option<Instant> {
        match &self.channel {
            ChannelState::Open(open) if open.live.blocked().is_none() => {
                self.in_flight.jobs_mut().next().map(|job| job.deadline + STUCK_AFTER)
            }
            _ => None,
        }
    }

    /// Writes what waits, as far as the broker takes it.
    fn write(&mut self) {
        while !self.renews()
            && let ChannelState::Open(open) = &self.channel
        {
            let window = if self.one_by_one > 0 { 1 } else { IN_FLIGHT_MAX };
            if self.in_flight.len() >= window || open.live.blocked().is_some() {
                return;
            }
            if !self.waiting.is_empty() && !open.channel.status().connected() {
                return self.channel_lost(&lapin::ErrorKind::InvalidChannel(open.channel.id()).into());
            }
            let Some(job) = self.waiting.pop_front() else { return };
            if !job.is_wanted() {
                continue;
            }
            let mut answer = sent(open.channel.clone(), &job, self.in_flight.upcoming());
            self.in_flight.add(job);
            // The first poll puts the message into the queue of the connection: here, so that the order is ours.
            match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => self.answers.push(answer),
                Poll::Ready(answer) => self.answered(answer),
            }
        }
    }

    /// Takes this answer and all others that are there.
    fn answered(&mut self, first: Answer) {
        let mut ripe = vec![first];
        let mut error = None;
        self.collect(&mut ripe);
        while !ripe.is_empty() {
            // A returned message may sit in any answer of its batch, so the batch has to be complete before one is judged.
            self.wait_for_batch();
            let mut fresh = Vec::new();
            self.collect(&mut fresh);
            for (_, answer) in ripe.iter().chain(&fresh) {
                if let Ok(
                    lapin::Confirmation::Ack(Some(returned)) | lapin::Confirmation::Nack(Some(returned)),
                ) = answer
                {
                    self.in_flight.came_back(returned);
                }
            }
            for (sequence, answer) in ripe {
                match answer {
                    Ok(confirmation) => self.judge(sequence, &confirmation),
                    // What the broker said counts for more than that nothing could be written any more.
                    Err(loss) if error.is_none() || reply::soft_error(&loss).is_some() => error = Some(loss),
                    Err(_) => {}
                }
            }
            let seen = |(sequence, answer): Answer| (sequence, answer.map(|answer| without_message(&answer)));
            ripe = fresh.into_iter().map(seen).collect();
        }
        if let Some(error) = error {
            self.channel_lost(&error);
        }
    }

    fn collect(&mut self, answers: &mut Vec<Answer>) {
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(answer)) = self.answers.poll_next_unpin(&mut cx) {
            answers.push(answer);
        }
    }

    /// lapin resolves a batch of confirms under a lock. Asking for the confirms of the channel takes that lock; the answer
    /// does not matter.
    fn wait_for_batch(&self) {
        if let ChannelState::Open(open) = &self.channel {
            let asking = pin!(open.channel.wait_for_confirms());
            let _ = asking.poll(&mut Context::from_waker(Waker::noop()));
        }
    }

    fn judge(&mut self, sequence: Sequence, confirmation: &lapin::Confirmation) {
        let Some((mut job, came_back)) = self.in_flight.remove(sequence) else { return };
        self.one_by_one = self.one_by_one.saturating_sub(1);
        let outcome = match confirmation {
            lapin::Confirmation::Nack(_) => {
                if let ChannelState::Open(open) = &mut self.channel {
                    open.was_nacked = true;
                }
                Err(nacked(&job))
            }
            lapin::Confirmation::Ack(_) | lapin::Confirmation::NotRequested if came_back => {
                Ok(Confirmation::Unroutable)
            }
            lapin::Confirmation::Ack(_) | lapin::Confirmation::NotRequested => Ok(Confirmation::Routed),
        };
        job.end(outcome);
    }

    /// The channel has ended. Those whom the broker means get its error; all others are written again.
    fn channel_lost(&mut self, error: &lapin::Error) {
        let mut lost = self.in_flight.take();
        self.answers = FuturesUnordered::new();
        let ChannelState::Open(OpenChannel { live, .. }) = &self.channel else { return };
        let live = live.clone();
        self.channel = ChannelState::opening(&self.link);
        if let Some((code, text)) = reply::soft_error(error) {
            let is_meant =
                |job: &Job, count: usize| count == 1 || names_exchange(text, &job.message.exchange);
            let count = lost.len();
            let (meant, others): (VecDeque<_>, VecDeque<_>) =
                lost.into_iter().partition(|job| is_meant(job, count));
            if meant.is_empty() {
                self.one_by_one = others.len();
            }
            for mut job in meant {
                let request = Request::new(job.message.words(), "write");
                job.end(Err(reply::refused(code, text, &request, &live.peer)));
            }
            lost = others;
        }
        lost.retain(Job::is_wanted);
        tracing::debug!(again = lost.len(), %error, "lost the publishing channel");
        lost.append(&mut self.waiting);
        self.waiting = lost;
    }

    /// Tells those whose time is over. What was written stays under way, for its confirm or returned message may still come.
    fn give_up_late(&mut self) {
        let now = Instant::now();
        let link = self.link.clone();
        let stuck = self.stuck_at().is_some_and(|at| at <= now);
        for job in self.in_flight.jobs_mut().chain(&mut self.waiting).filter(|job| job.deadline <= now) {
            let error = job.too_late(&link);
            job.end(Err(error));
        }
        self.waiting.retain(|job| job.reply.is_some());
        if stuck {
            tracing::warn!("RabbitMQ confirms nothing on the publishing channel: it is replaced");
            self.channel_lost(&lapin::ErrorKind::MissingHeartbeatError.into());
        }
    }
}

/// Writes the message; ends with the broker's confirm.
fn sent(channel: Channel, job: &Job, sequence: Sequence) -> BoxFuture<'static, Answer> {
    let (exchange, key) = (job.message.exchange.clone(), job.message.routing_key.clone());
    let (properties, envelope) = (job.message.properties.clone(), job.message.envelope.clone());
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    Box::pin(async move {
        let written = channel.basic_publish(exchange, key, options, &envelope.body, properties).await;
        let confirmation = match written {
            Ok(confirm) => confirm.await,
            Err(error) => Err(error),
        };
        (sequence, confirmation)
    })
}

/// The same answer, when its returned message has been seen.
fn without_message(answer: &lapin::Confirmation) -> lapin::Confirmation {
    match answer {
        lapin::Confirmation::Ack(_) => lapin::Confirmation::Ack(None),
        lapin::Confirmation::Nack(_) => lapin::Confirmation::Nack(None),
        lapin::Confirmation::NotRequested => lapin::Confirmation::NotRequested,
    }
}

fn nacked(job: &Job) -> Error {
    Error::new(
        ErrorKind::Nacked,
        format!("RabbitMQ refused to take a message: cannot {}", job.message.words()),
    )
    .with_help("a queue that it goes to is full, or has no leader")
}

fn names_exchange(text: &str, exchange: &lapin::types::ShortString) -> bool {
    text.contains(&format!("exchange '{exchange}'"))
}
