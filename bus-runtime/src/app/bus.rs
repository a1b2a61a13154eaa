//! A running app: the handle to publish with, to look at, and to shut down.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::App;
use super::connect::Broker;
use super::running::Running;
#[cfg(feature = "dashboard")]
use super::shown::Shown;
use super::{checks, levels};
use crate::admin::Admin;
use crate::check;
use crate::config::Config;
use crate::counters::{Counters, Stats};
use crate::dead_letters::DeadLetters;
use crate::error::Error;
use crate::fleet::{self, Control, Reach};
use crate::history::History;
use crate::hub::Hub;
use crate::message::MessageType;
use crate::middleware::Layers;
use crate::names::QueueName;
#[cfg(feature = "admin")]
use crate::observe::Looked;
use crate::observe::Meters;
use crate::provision::{self, Declare};
use crate::publish::{Pressure, Publisher};
use crate::registration::MessageRegistration;
use crate::rename;
use crate::seam;
use crate::topology::patience::{Patience, patience};
use crate::topology::{Plan, naming};
use crate::transport::embedded::EmbeddedBroker;
use crate::transport::{ConnectionStatus, ConsumeOptions, Standing, Transport, TransportDescription};
use crate::worker::{self, Phase};

/// A running app. It publishes, through [`Publisher`], and is shut down with [`shutdown`](Self::shutdown).
///
/// One that is dropped without it takes no more messages. Handlers that have begun go on in the background, for as long as the
/// grace period and the runtime last; then their messages go back to their queues.
///
/// ```standalone_crate
/// # #[tokio::main] async fn main() -> Result<(), bus_runtime::Error> {
/// let bus = bus_runtime::app().start().await?;
/// bus.react("wiki.page.saved", &"home").await?;
/// bus.shutdown().await;
/// # Ok(()) }
/// ```
pub struct Bus {
    publisher: Publisher,
    pub(super) running: Arc<Running>,
    pub(super) workers: Vec<JoinHandle<usize>>,
    pub(super) due: Option<JoinHandle<()>>,
    pub(super) movers: Vec<JoinHandle<()>>,
    pub(super) member: Option<JoinHandle<()>>,
    declare: Declare,
    pub(super) grace: Duration,
    pub(super) admin: Option<Admin>,
}

/// Declares, consumes and lets the workers run.
pub(super) async fn start(
    app: App,
    config: Config,
    plan: Plan,
    broker: Broker,
    admin: Option<Admin>,
) -> Result<Bus, Error> {
    let (mut bus, layers) = prepare(app, config, plan, broker).await?;
    bus.consume(&layers).await?;
    if let Some(admin) = &admin {
        admin.watch(&bus.running);
    }
    bus.admin = admin;
    Ok(bus)
}

/// Refuses handlers that the broker would always interrupt, and warns of those that it may.
fn check_patience(plan: &Plan, limit: Duration) -> Result<(), Error> {
    for queue in &plan.queues {
        match patience(queue, limit) {
            Patience::Enough => {}
            Patience::Strained(text) => tracing::warn!(queue = %queue.name, code = "BUS0108", "{text}"),
            Patience::Exceeded(error) => return Err(*error),
        }
    }
    for finding in check::resting(plan, limit) {
        tracing::warn!(code = finding.code, help = finding.help, "{}", finding.message);
    }
    Ok(())
}

/// Declares, and consumes nothing yet.
pub(super) async fn prepare(
    app: App,
    config: Config,
    plan: Plan,
    broker: Broker,
) -> Result<(Bus, Layers), Error> {
    let (transport, embedded) = carrier(broker);
    if let (None, Some(limit)) = (&embedded, config.ack_timeout) {
        check_patience(&plan, limit)?;
    }
    provision::declare(&*transport, &plan, config.declare).await?;
    if provision::is_worth_a_note(config.declare, &plan.topology, embedded.is_some()) {
        provision::remember(&transport, &plan.topology, &app.owner(&config)).await;
    }
    if config.declare != Declare::Never {
        provision::cut_off(&*transport, &plan.renamed).await?;
    }
    Ok(assemble(app, config, plan, (transport, embedded)))
}

/// Puts together what a bus consists of, and asks the broker nothing.
fn assemble(app: App, config: Config, plan: Plan, (transport, embedded): Carrier) -> (Bus, Layers) {
    crate::middleware::note_places();
    #[cfg(feature = "dashboard")]
    let shown = Shown::for_port(&app, &config);
    let control = Control::new(Reach::at_first(embedded.as_ref(), &config));
    let name = app.app_name();
    let mut hub = Hub::new(transport, config.plan.clone(), app.state, &name);
    hub.instances = app.instances.values();
    hub.history = history(&config, &name, &plan);
    hub.publish_timeout = config.publish_timeout;
    #[cfg(feature = "testing")]
    {
        hub.witness = app.witness;
    }
    hub.pressure = Pressure::of(&plan);
    hub.idempotency = app.idempotency;
    #[cfg(feature = "cli")]
    {
        hub.budget = worker::Budget::of(app.max_messages);
    }
    let types = message_types(&plan);
    hub.traces = config.traces;
    hub.meters = Meters::new(&plan, &config.plan, &types, config.metrics.one_of);
    hub.layers = app.layers.clone();
    let running = Running {
        hub: Arc::new(hub),
        counters: plan.handlers.iter().map(|entry| Arc::new(Counters::of(entry))).collect(),
        plan,
        embedded,
        version: app.version,
        control,
        #[cfg(feature = "admin")]
        metrics: config.metrics,
        #[cfg(feature = "admin")]
        looked: Looked::default(),
        #[cfg(feature = "dashboard")]
        shown,
        lookouts: Arc::default(),
        tasks: Mutex::default(),
        phase: watch::Sender::new(Phase::Running),
    };
    let running = Arc::new(running);
    levels::watch(&running, app.level_hooks);
    crate::blocking::watch(&running.plan.handlers.iter().zip(&running.counters).collect::<Vec<_>>());
    let bus = Bus {
        publisher: Publisher::direct(&running.hub),
        running,
        workers: Vec::new(),
        due: None,
        movers: Vec::new(),
        member: None,
        declare: config.declare,
        grace: config.grace,
        admin: None,
    };
    (bus, app.layers)
}

/// What carries the messages, and the broker itself when it is inside of the program.
type Carrier = (Arc<dyn Transport>, Option<EmbeddedBroker>);

fn carrier(broker: Broker) -> Carrier {
    match broker {
        Broker::Embedded(broker) => (Arc::new(broker.clone()), Some(broker)),
        #[cfg(feature = "testing")]
        Broker::EmbeddedBehind(broker, transport) => (transport, Some(broker)),
        Broker::Other(transport) => (transport, None),
    }
}

/// Neither declares nor consumes: only the admin port answers.
#[cfg(all(feature = "cli", feature = "dashboard"))]
pub(super) fn look_on(app: App, config: Config, plan: Plan, broker: Broker, admin: Option<Admin>) -> Bus {
    let (mut bus, _) = assemble(app, config, plan, carrier(broker));
    if let Some(admin) = &admin {
        admin.watch(&bus.running);
    }
    bus.admin = admin;
    bus
}

/// What is kept of what happens, with what an earlier process has kept.
fn history(config: &Config, app: &str, plan: &Plan) -> History {
    let history = History::for_port(config.http, plan.handlers.len());
    if let Some(directory) = &config.state_dir {
        history.keep_in(directory, app, &plan.handlers);
    }
    history
}

/// The message types that the program may publish, and those that it handles.
fn message_types(plan: &Plan) -> Vec<MessageType> {
    let linked = MessageRegistration::linked().map(|registration| registration.message);
    let handled = plan.handlers.iter().filter_map(|entry| entry.message);
    // What Bus itself publishes is counted nowhere.
    linked.chain(handled).filter(|message| !checks::OF_BUS.contains(&message.topic)).collect()
}

impl Bus {
    /// Starts to consume every queue before any worker begins, so that an error leaves nothing half handled.
    async fn consume(&mut self, layers: &Layers) -> Result<(), Error> {
        let running = Arc::clone(&self.running);
        let mut ready = Vec::new();
        for queue in &running.plan.queues {
            let mut worker = running.worker(queue, layers);
            let consumer = worker.start_to_consume().await?;
            running.look_out(&queue.name, &*consumer);
            ready.push((worker, consumer));
        }
        for local in ready.iter().flat_map(|(worker, _)| worker.locals()) {
            running.hub.locals.add(local);
        }
        running.hub.settling.handles(&running.plan.queues);
        if !running.plan.queues.is_empty() {
            let queue = QueueName::new(naming::due(&running.hub.settings.prefix))?;
            let options =
                ConsumeOptions { prefetch: worker::DUE_PREFETCH, tag: format!("{}.due", running.hub.worker) };
            let consumer = running.hub.transport.consume(&queue, options).await?;
            running.look_out(&queue, &*consumer);
            let due = worker::run_due(Arc::clone(&running.hub), consumer, running.phase.subscribe());
            let due = seam::spawn("due", due);
            running.keep_an_eye_on(&queue, due.abort_handle());
            self.due = Some(due);
        }
        for renamed in &running.plan.renamed {
            let mover = rename::run(Arc::clone(&running.hub), renamed.clone(), self.declare);
            self.movers.push(seam::spawn("rename", mover));
        }
        if let (Reach::Opening, false) = (running.control.reach(), running.plan.queues.is_empty()) {
            let finished = running.hub.shutdown_finished();
            let member = fleet::join(Arc::downgrade(&running), self.declare, finished);
            self.member = Some(seam::spawn("control", member));
        }
        for ((worker, consumer), queue) in ready.into_iter().zip(&running.plan.queues) {
            let worker = worker::start(worker, consumer, running.phase.subscribe());
            running.keep_an_eye_on(&queue.name, worker.abort_handle());
            self.workers.push(worker);
        }
        Ok(())
    }

    /// What the app has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.running.stats()
    }

    /// What the app consists of.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.running.plan
    }

    /// A handle to publish with that can be cloned and outlives this one.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        self.publisher.clone()
    }

    /// What carries the messages.
    #[must_use]
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.running.hub.transport
    }

    /// What carries the messages and where, for people to read.
    #[must_use]
    pub fn describe_transport(&self) -> TransportDescription {
        self.running.hub.transport.describe()
    }

    /// Whether the broker can be talked to right now.
    #[must_use]
    pub fn status(&self) -> ConnectionStatus {
        self.running.hub.transport.status()
    }

    /// Whether each queue of the app is consumed right now, `bus.due` included. It never asks the broker.
    #[must_use]
    pub fn consumers(&self) -> Vec<(QueueName, Standing)> {
        self.running.consumers()
    }

    /// Where the app answers over HTTP, when it does.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(Admin::address)
    }

    pub(crate) fn running(&self) -> &Arc<Running> {
        &self.running
    }

    /// The dead letters of this app, to look at and to replay.
    #[must_use]
    pub fn dead_letters(&self) -> DeadLetters {
        self.running.dead_letters()
    }

    /// Waits until nothing is queued, in flight or due now: all handlers have ended, and so have those of what they published.
    /// On a broker that others use too, it waits for their messages in the queues of this app as well.
    ///
    /// # Errors
    /// What the broker says.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub async fn settled(&self) -> Result<(), Error> {
        self.running.settled().await
    }

    /// Handles what is queued now, and what that leads to, until all queues are empty or the app drains. Says how many messages
    /// that were, and how many were interrupted. Only for an app that does not consume.
    #[cfg(feature = "cli")]
    pub(crate) async fn drain_queues(&self, layers: &Layers) -> Result<(usize, usize), Error> {
        let running = &self.running;
        let mut phase = running.phase.subscribe();
        let mut workers: Vec<_> =
            running.plan.queues.iter().map(|queue| running.worker(queue, layers)).collect();
        let (mut total, mut interrupted) = (0, 0);
        loop {
            let mut taken = 0;
            for renamed in &running.plan.renamed {
                rename::run_once(&running.hub, renamed).await;
            }
            for worker in &mut workers {
                let (handled, cut_short) = worker.run_once(&mut phase).await?;
                taken += handled;
                interrupted += cut_short;
            }
            if !phase.borrow().is_draining() {
                taken += worker::run_due_once(&running.hub).await?;
            }
            total += taken;
            if taken == 0 || phase.borrow().is_draining() {
                return Ok((total, interrupted));
            }
        }
    }
}

/// Who drops it without [`Bus::shutdown`] takes no more messages, and lets what has begun end within the grace period.
impl Drop for Bus {
    fn drop(&mut self) {
        self.running.abandon(self.grace);
    }
}

impl Deref for Bus {
    type Target = Publisher;

    fn deref(&self) -> &Publisher {
        &self.publisher
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("hub", &self.running.hub)
            .field("workers", &self.workers.len())
            .finish_non_exhaustive()
    }
}
