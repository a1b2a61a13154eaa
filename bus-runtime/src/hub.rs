//! What all parts of a running app share: the transport, the state, the counters, and the way out for every message.

use std::collections::HashSet;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tracing::Instrument;

use crate::command::Replies;
use crate::counters::{CommandCounters, CommandStats};
use crate::due::{self, Refusals};
use crate::envelope::{Envelope, Text, header};
use crate::error::{Error, ErrorKind};
use crate::extract::StateMap;
use crate::history::History;
use crate::idempotency::Idempotency;
use crate::middleware::Layers;
use crate::names::ExchangeName;
use crate::observe::{Address, Meters, TraceSettings, spans};
use crate::publish::{Draft, Importance, Pressure};
use crate::session::{self, Sessions};
use crate::settling::Settling;
use crate::shutdown::Shutdown;
use crate::topology::{PlanSettings, delay, naming};
use crate::transport::{Confirmation, Transport};
use crate::witness::Witness;
use crate::worker::{Budget, InFlight, Locals, Telling, Valves};

/// Publishes that may wait for their confirm at once: enough to hide the round trip, and an end to the memory they hold.
pub(crate) const IN_FLIGHT_MAX: usize = 1024;
/// Topics of which it is remembered that their being unroutable was logged; beyond that it is logged again.
const LOGGED_TOPICS_MAX: usize = 1024;

/// What all parts of a running app share.
pub(crate) struct Hub {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) settings: PlanSettings,
    pub(crate) state: StateMap,
    /// The instances of controllers that the app was given.
    pub(crate) instances: StateMap,
    pub(crate) app_id: Text,
    /// Names this process in dead letters and consumer tags.
    pub(crate) worker: String,
    pub(crate) publish_timeout: Duration,
    pub(crate) replies: Replies,
    /// The handlers of commands that are in this process.
    pub(crate) locals: Locals,
    pub(crate) commands: CommandCounters,
    /// Who is told of failures.
    pub(crate) telling: Telling,
    /// Who waits until a message is settled.
    pub(crate) settling: Arc<Settling>,
    /// The messages that are being handled here.
    pub(crate) in_flight: Arc<InFlight>,
    #[cfg(feature = "testing")]
    pub(crate) witness: Option<Arc<dyn Witness>>,
    pub(crate) pressure: Pressure,
    pub(crate) idempotency: Idempotency,
    pub(crate) meters: Meters,
    /// The sessions of this process.
    pub(crate) sessions: Sessions,
    /// What is around every handler: for those that come while the app runs.
    pub(crate) layers: Layers,
    pub(crate) traces: TraceSettings,
    pub(crate) address: Address,
    /// What has happened lately.
    pub(crate) history: History,
    /// The queues that are paused.
    pub(crate) valves: Valves,
    /// The queues that take no messages.
    pub(crate) refusals: Refusals,
    /// The messages that may be taken still.
    pub(crate) budget: Budget,
    published: AtomicU64,
    unroutable: AtomicU64,
    window: Semaphore,
    stopping: watch::Sender<bool>,
    finished: watch::Sender<bool>,
    ladder_levels: tokio::sync::Mutex<u64>,
    logged_topics: Mutex<HashSet<String>>,
    /// The exchanges of all messages but those of types that name another one.
    exchanges: Vec<(String, ExchangeName)>,
}

/// A transport has the same limit, and knows better why it was not kept: it gets the chance to say so.
const TRANSPORT_FIRST: Duration = Duration::from_millis(500);

impl Hub {
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        settings: PlanSettings,
        state: StateMap,
        app: &str,
    ) -> Self {
        let named = [&settings.audit, &settings.react, &settings.messages];
        let named = named.into_iter().filter_map(|name| Some((name.clone(), settings.exchange(name).ok()?)));
        Self {
            address: Address::of(&transport.describe()),
            exchanges: named.collect(),
            transport,
            settings,
            state,
            instances: StateMap::default(),
            app_id: Text::Owned(app.to_owned()),
            worker: format!("{app}-{}", crate::seam::process_id()),
            publish_timeout: crate::transport::PUBLISH_TIMEOUT,
            replies: Replies::default(),
            locals: Locals::default(),
            commands: CommandCounters::default(),
            telling: Telling::default(),
            settling: Arc::default(),
            in_flight: Arc::default(),
            #[cfg(feature = "testing")]
            witness: None,
            pressure: Pressure::default(),
            idempotency: Idempotency::default(),
            meters: Meters::default(),
            sessions: Sessions::default(),
            layers: Layers::default(),
            traces: TraceSettings::default(),
            history: History::for_port(None, 0),
            valves: Valves::default(),
            refusals: Refusals::default(),
            budget: Budget::default(),
            published: AtomicU64::new(0),
            unroutable: AtomicU64::new(0),
            window: Semaphore::new(IN_FLIGHT_MAX),
            stopping: watch::Sender::new(false),
            finished: watch::Sender::new(false),
            ladder_levels: tokio::sync::Mutex::new(0),
            logged_topics: Mutex::default(),
        }
    }

    /// Who sees what the app does: a test.
    #[cfg(feature = "testing")]
    pub(crate) fn witness(&self) -> Option<&dyn Witness> {
        self.witness.as_deref()
    }

    #[cfg(not(feature = "testing"))]
    pub(crate) const fn witness(&self) -> Option<&dyn Witness> {
        None
    }

    /// The exchange that the settings call so.
    pub(crate) fn exchange(&self, name: &str) -> Result<ExchangeName, Error> {
        match self.exchanges.iter().find(|(known, _)| known == name) {
            Some((_, exchange)) => Ok(exchange.clone()),
            None => self.settings.exchange(name),
        }
    }

    pub(crate) fn shutdown(&self) -> Shutdown {
        Shutdown::new(self.stopping.subscribe())
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    pub(crate) fn begin_shutdown(&self) {
        self.stopping.send_replace(true);
    }

    /// Tells when the app has drained: nothing is published any more.
    pub(crate) fn shutdown_finished(&self) -> watch::Receiver<bool> {
        self.finished.subscribe()
    }

    pub(crate) fn finish_shutdown(&self) {
        self.finished.send_replace(true);
    }

    /// Messages that the broker has confirmed, and those of them that no queue wanted.
    pub(crate) fn published(&self) -> (u64, u64) {
        (self.published.load(Ordering::Relaxed), self.unroutable.load(Ordering::Relaxed))
    }

    /// What became of the commands that were executed here.
    pub(crate) fn command_stats(&self) -> CommandStats {
        let CommandCounters { executed, in_process, failed, timed_out } = &self.commands;
        CommandStats {
            executed: executed.get(),
            in_process: in_process.get(),
            failed: failed.get(),
            timed_out: timed_out.get(),
            late_replies: self.replies.late(),
        }
    }

    /// Publishes one message within the publish timeout and says whether a queue has it.
    pub(crate) async fn send(&self, envelope: Arc<Envelope>) -> Result<Confirmation, Error> {
        let limit = self.publish_timeout + TRANSPORT_FIRST;
        // What is confirmed at once must not keep other tasks from running.
        tokio::task::coop::consume_budget().await;
        let confirmed = match self.window.try_acquire() {
            Ok(_permit) => {
                let mut publishing = self.transport.publish(Arc::clone(&envelope));
                match poll_fn(|cx| Poll::Ready(publishing.as_mut().poll(cx))).await {
                    // It needs no timer.
                    Poll::Ready(confirmed) => Ok(confirmed),
                    Poll::Pending => timeout(limit, publishing).await,
                }
            }
            Err(_) => Box::pin(timeout(limit, self.send_in_turn(Arc::clone(&envelope)))).await,
        };
        match confirmed {
            Ok(confirmed) => {
                if confirmed.as_ref().is_err_and(|error| error.kind() == ErrorKind::Nacked) {
                    self.meters.exchange(&envelope.exchange).nacked.add_one();
                }
                if let (Ok(confirmation), Some(witness)) = (&confirmed, self.witness()) {
                    witness.published(&envelope, *confirmation);
                }
                confirmed
            }
            Err(_) => Err(Error::new(
                ErrorKind::TimedOut,
                format!("the broker did not confirm within {:?}", self.publish_timeout),
            )
            .with_help("the message may have arrived; its id is the same when it is published again")),
        }
    }

    /// Publishes one message when those before it have made room.
    async fn send_in_turn(&self, envelope: Arc<Envelope>) -> Result<Confirmation, Error> {
        let _permit = self.window.acquire().await;
        self.transport.publish(envelope).await
    }

    /// Sends a draft, by way of the ladder when it is delayed, and judges what it means when no queue wants it.
    pub(crate) async fn send_draft(&self, mut draft: Draft) -> Result<(), Error> {
        let (meter, watch) = (self.meters.sent(draft.subject), self.meters.watch());
        let span = spans::publish(self, &mut draft);
        let sent = self.send_and_judge(draft).instrument(span.clone()).await;
        spans::sent(&span, &sent);
        meter.ended(&sent, watch);
        sent
    }

    async fn send_and_judge(&self, draft: Draft) -> Result<(), Error> {
        let Draft { mut envelope, delay, importance, subject, has_own_id: _, has_own_trace: _ } = draft;
        let (exchange, key) = (envelope.exchange.clone(), envelope.routing_key.clone());
        let session = importance.is_of_event().then(|| session::key(&envelope)).flatten();
        let confirmation = match delay.filter(|delay| !delay.is_zero()) {
            Some(delay) => {
                session::copy_when_due(&mut envelope, session);
                // Nobody waits for what is to happen later.
                envelope.headers.remove(header::SETTLE);
                Box::pin(self.send_later(*envelope, delay)).await?
            }
            None => {
                session::copy_to(&mut envelope, session);
                self.send_awaited(Arc::new(*envelope)).await?
            }
        };
        self.published.fetch_add(1, Ordering::Relaxed);
        self.meters.sent(subject).confirmed();
        if confirmation == Confirmation::Unroutable {
            self.unroutable.fetch_add(1, Ordering::Relaxed);
            if importance != Importance::Silent {
                self.meters.exchange(&exchange).unroutable.add_one();
            }
            return importance.judge_unroutable(self, &format!("{exchange}:{key}"));
        }
        Ok(())
    }

    /// Publishes one message, and notes which queues of this process it will reach when somebody waits for that.
    async fn send_awaited(&self, envelope: Arc<Envelope>) -> Result<Confirmation, Error> {
        let reached = self.settling.expect(&envelope);
        let confirmed = self.send_under_pressure(Arc::clone(&envelope)).await;
        if !matches!(confirmed, Ok(Confirmation::Routed)) {
            self.settling.expect_no_more(&envelope, &reached);
        }
        confirmed
    }

    /// Lets a message climb down the ladder to the exchange and the routing key that it has.
    pub(crate) async fn send_later(
        &self,
        mut envelope: Envelope,
        wait: Duration,
    ) -> Result<Confirmation, Error> {
        // Rounded up: a message is never early.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        if seconds == 0 {
            return self.send(Arc::new(envelope)).await;
        }
        if wait > crate::policy::DELAY_MAX {
            return Err(Error::new(
                ErrorKind::InvalidName,
                format!("a delay of {wait:?} is longer than 2^28 s"),
            ));
        }
        due::address(&mut envelope);
        self.climb_down(envelope, seconds).await
    }

    /// Lets a message that knows its way climb down the ladder.
    pub(crate) async fn climb_down(
        &self,
        mut envelope: Envelope,
        seconds: u64,
    ) -> Result<Confirmation, Error> {
        self.declare_ladder(seconds).await?;
        let (exchange, routing_key) = delay::entry(&self.settings.prefix, seconds)?;
        envelope.exchange = exchange;
        envelope.routing_key = routing_key;
        self.send(Arc::new(envelope)).await
    }

    /// Declares the levels of the ladder that this delay needs, once.
    async fn declare_ladder(&self, seconds: u64) -> Result<(), Error> {
        let mut declared = self.ladder_levels.lock().await;
        if seconds > *declared {
            self.transport.declare(&delay::ladder(&self.settings.prefix, seconds)?).await?;
            // The level of the highest bit takes every delay with that bit.
            *declared = (seconds + 1).next_power_of_two() - 1;
        }
        Ok(())
    }

    /// The exchange that holds messages for a constant delay.
    pub(crate) fn delay_exchange(&self, wait: Duration) -> String {
        naming::delay(&self.settings.prefix, wait)
    }

    /// Whether this topic's being unroutable is not logged yet.
    pub(crate) fn first_unroutable(&self, topic: &str) -> bool {
        let mut topics = self.logged_topics.lock().unwrap_or_else(PoisonError::into_inner);
        if topics.len() >= LOGGED_TOPICS_MAX {
            topics.clear();
        }
        topics.insert(topic.to_owned())
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("worker", &self.worker)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}
