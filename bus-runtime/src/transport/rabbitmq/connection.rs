//! One supervised connection: it is made, watched, and made again for ever.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use lapin::{ConnectionProperties, Event};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::backoff::{Backoff, Failure, Pace};
use super::declared::Declared;
use super::reply;
use crate::broker_url::AmqpUrl;
use crate::error::{Error, ErrorKind};

mod address;
mod defects;
mod exposure;
mod greeting;
mod guard;
mod live;
mod network;
mod open;
mod stream;
mod wire;

pub(super) use self::address::Address;
pub(super) use self::defects::Defects;
#[cfg(feature = "fuzzing")]
pub(super) use self::guard::{fuzz_frames, fuzz_table};
pub(super) use self::live::{Live, Peer};

/// How long any request to the broker may take: during an alarm RabbitMQ never answers some of them.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a standing connection is looked at besides its events, in case an event was lost.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often what was declared is declared again on a connection that stands: what somebody else has taken away, an exchange
/// or a binding, is missed by no consumer and told to nobody. How often the broker is asked for our consumers, too.
pub(super) const UPKEEP_INTERVAL: Duration = Duration::from_secs(60);
/// How long a lost connection may take to say goodbye before the next one is made.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a connection is for. Publishing and consuming never share one: the broker blocks the connections of publishers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Consume,
    Publish,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::Consume => "consume",
            Self::Publish => "publish",
        }
    }
}

/// What others see of the connection.
#[derive(Clone, Debug)]
pub(super) enum State {
    Up(Arc<Live>),
    Down,
    Closed,
}

/// A connection for one role, with the task that keeps it standing.
#[derive(Debug)]
pub(super) struct Link {
    state: watch::Sender<State>,
    closing: watch::Sender<bool>,
    role: Role,
    address: Arc<Address>,
    name: String,
    /// What the consuming connection declares anew when it comes back.
    declared: Arc<Declared>,
    pace: Arc<Pace>,
    upkeep: Duration,
    /// The last error of an attempt to come back, for those who wait for it in vain.
    trouble: Mutex<Option<String>>,
    /// How often it has come back.
    reconnects: AtomicU64,
}

impl Link {
    /// Connects for the first time and starts the task that keeps the connection standing.
    ///
    /// # Errors
    /// Why no host could be connected to.
    pub(super) async fn start(
        role: Role,
        address: Arc<Address>,
        name: &str,
        declared: Arc<Declared>,
        pace: Arc<Pace>,
        upkeep: Duration,
    ) -> Result<Arc<Self>, Error> {
        let live = Arc::new(open::open(&address.current(), role, name).await?);
        let link = Arc::new(Self {
            state: watch::Sender::new(State::Up(live.clone())),
            closing: watch::Sender::new(false),
            role,
            address,
            name: name.to_owned(),
            declared,
            pace,
            upkeep,
            trouble: Mutex::new(None),
            reconnects: AtomicU64::new(0),
        });
        crate::seam::spawn("rabbitmq-connection", link.clone().keep(live));
        Ok(link)
    }

    pub(super) fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// How often it has come back.
    pub(super) fn reconnects(&self) -> u64 {
        self.reconnects.load(Ordering::Relaxed)
    }

    /// The connection, when it stands.
    pub(super) fn live(&self) -> Option<Arc<Live>> {
        match &*self.state.borrow() {
            State::Up(live) if live.stands() => Some(live.clone()),
            _ => None,
        }
    }

    /// Waits until the connection stands.
    ///
    /// # Errors
    /// [`Closed`](ErrorKind::Closed); [`Disconnected`](ErrorKind::Disconnected) when it does not come back in time.
    pub(super) async fn wait(&self, until: Instant) -> Result<Arc<Live>, Error> {
        match timeout_at(until, self.wait_for_ever()).await {
            Ok(live) => live,
            Err(_) => Err(self.still_down()),
        }
    }

    /// Waits until the connection stands, however long that takes.
    ///
    /// # Errors
    /// [`Closed`](ErrorKind::Closed).
    pub(super) async fn wait_for_ever(&self) -> Result<Arc<Live>, Error> {
        let mut state = self.watch();
        let usable = |state: &State| match state {
            State::Up(live) => live.stands(),
            State::Down => false,
            State::Closed => true,
        };
        match state.wait_for(usable).await.as_deref() {
            Ok(State::Up(live)) => Ok(live.clone()),
            Ok(State::Down | State::Closed) | Err(_) => Err(reply::closed()),
        }
    }

    pub(super) fn still_down(&self) -> Error {
        let error = Error::new(
            ErrorKind::Disconnected,
            format!("there is no connection to the broker at {} for now", hosts(&self.address.last())),
        );
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match trouble {
            Some(trouble) => error.with_source(trouble),
            None => error,
        }
    }

    /// Closes the connection for good.
    pub(super) async fn close(&self, within: Duration) {
        let deadline = Instant::now() + within;
        self.stop();
        let mut state = self.watch();
        let _ = timeout_at(deadline, state.wait_for(|state| matches!(state, State::Closed))).await;
    }

    /// Asks the task to close the connection and to end.
    pub(super) fn stop(&self) {
        self.closing.send_replace(true);
    }

    fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// The task: watches the connection and makes it anew, until it is told to stop.
    async fn keep(self: Arc<Self>, mut live: Arc<Live>) {
        let mut backoff = Backoff::default();
        backoff.at_most(self.pace.longest_pause(Failure::Other));
        loop {
            let since = Instant::now();
            let loss = self.watch_over(&live).await;
            backoff.stood_for(since.elapsed());
            if self.is_closing() {
                live.close(REQUEST_TIMEOUT).await;
                break;
            }
            self.state.send_replace(State::Down);
            tracing::warn!(role = self.role.as_str(), host = %live.peer.host, error = %loss, "lost the connection to RabbitMQ");
            live.close(GOODBYE_TIMEOUT).await;
            match self.come_back(&mut backoff).await {
                Some(back) => live = back,
                None => break,
            }
        }
        self.state.send_replace(State::Closed);
    }

    /// Ends when the connection is lost, or has to be closed.
    async fn watch_over(&self, live: &Live) -> String {
        let mut events = Box::pin(live.connection.events_listener());
        let mut closing = self.closing.subscribe();
        let mut upkeep = Box::pin(self.keep_up(live));
        while live.stands() && !self.is_closing() {
            tokio::select! {
                () = &mut upkeep => {}
                event = events.next() => match event {
                    Some(Event::ConnectionBlocked(reason)) => {
                        tracing::warn!(role = self.role.as_str(), reason, "RabbitMQ blocks publishers");
                        live.blocked.send_replace(Some(reason));
                    }
                    Some(Event::ConnectionUnblocked) => {
                        tracing::info!(role = self.role.as_str(), "RabbitMQ takes publishes again");
                        live.blocked.send_replace(None);
                    }
                    Some(Event::Error(error)) if !live.stands() => return error.to_string(),
                    Some(_) => {}
                    None => return "the connection has ended".to_owned(),
                },
                _ = closing.wait_for(|closing| *closing) => {}
                () = tokio::time::sleep(LOOK_INTERVAL) => live.look_whether_blocked(),
            }
        }
        "the connection has ended".to_owned()
    }

    /// Declares again and again what may have been taken away; never ends.
    async fn keep_up(&self, live: &Live) {
        loop {
            // Some more or less, so that many workers do not ask in the same instant.
            tokio::time::sleep(self.upkeep.mul_f64(0.75 + crate::seam::random() / 2.0)).await;
            if self.role == Role::Consume {
                // An error means that the connection is lost, which others see too.
                let _ = self.declared.keep_up(live).await;
            }
        }
    }

    /// Connects again and again; `None` when it is told to stop.
    async fn come_back(&self, backoff: &mut Backoff) -> Option<Arc<Live>> {
        let mut closing = self.closing.subscribe();
        loop {
            tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => return None,
                () = self.turn(backoff) => {}
            }
            // A host that never answers must not keep the program from ending.
            let tried = tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => return None,
                tried = self.try_again() => tried,
            };
            match tried {
                Ok(live) => {
                    self.pace.arrived();
                    self.reconnects.fetch_add(1, Ordering::Relaxed);
                    tracing::info!(role = self.role.as_str(), host = %live.peer.host, "connected to RabbitMQ again");
                    *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
                    self.state.send_replace(State::Up(live.clone()));
                    return Some(live);
                }
                Err(error) => {
                    backoff.at_most(self.pace.longest_pause(failure(&error)));
                    tracing::warn!(role = self.role.as_str(), code = error.kind().code(), %error, help = error.help(), "cannot connect to RabbitMQ");
                    *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                }
            }
        }
    }

    /// Waits before the next attempt: not any longer when the other connection has come back, and in any case for its turn.
    async fn turn(&self, backoff: &mut Backoff) {
        let mut arrivals = self.pace.arrivals();
        let wait = backoff.next();
        if wait.is_zero() {
            tokio::time::sleep(Pace::spread()).await;
        } else {
            let _ = timeout(wait, arrivals.changed()).await;
        }
        tokio::time::sleep_until(self.pace.turn()).await;
    }

    async fn try_again(&self) -> Result<Arc<Live>, Error> {
        let live = Arc::new(open::open(&self.address.current(), self.role, &self.name).await?);
        if self.role == Role::Consume {
            self.declared.declare_anew(&live).await?;
        }
        Ok(live)
    }
}

fn failure(error: &Error) -> Failure {
    let io = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    match io.map(std::io::Error::kind) {
        Some(std::io::ErrorKind::ConnectionRefused) => Failure::NobodyListens,
        _ => Failure::Other,
    }
}

pub(super) fn hosts(url: &AmqpUrl) -> String {
    url.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What a connection tells the broker about itself.
fn introduction(role: Role, name: &str) -> ConnectionProperties {
    ConnectionProperties::default()
        .with_connection_name(format!("{name} ({})", role.as_str()).into())
        .with_client_property("product".into(), "bus".into())
        .with_client_property("version".into(), env!("CARGO_PKG_VERSION").into())
}
