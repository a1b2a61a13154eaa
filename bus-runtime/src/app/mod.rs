//! Wiring: from registrations and settings to a running bus.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::admin::{Admin, AdminPort};
use crate::config::Config;
use crate::dead_letters::DeadLetters;
use crate::error::{BoxError, Error, ErrorKind};
use crate::extract::{Arguments, StateMap};
use crate::idempotency::{Idempotency, IdempotencyStore};
use crate::middleware::Layers;
use crate::provision::{Owner, Provision};
use crate::registration::HandlerRegistration;
use crate::topology::{HandlerEntry, Plan, plan};
use crate::transport::embedded::EmbeddedBroker;
use crate::transport::{BoxFuture, QueueLevel, Transport};
#[cfg(feature = "testing")]
use crate::witness::Witness;

mod bus;
mod checks;
mod connect;
mod ending;
mod filter;
mod health;
mod instances;
mod layers;
mod levels;
mod running;
#[cfg(feature = "dashboard")]
mod shown;

pub use bus::Bus;
use connect::Broker;
pub use ending::Drained;
pub use health::{BrokerHealth, ConsumerHealth, Health, Status};
use instances::GivenInstances;
use levels::LevelHooks;
pub(crate) use running::Running;
#[cfg(feature = "dashboard")]
pub(crate) use shown::Shown;

type Setup = Box<dyn FnOnce(App) -> BoxFuture<'static, Result<App, BoxError>> + Send>;

/// An app that is not running yet: its state, its layers and its settings.
///
/// ```no_run
/// use bus_runtime::prelude::*;
///
/// struct Mailer;
///
/// #[react("wiki.#")]
/// async fn notify(mailer: State<Mailer>) {}
///
/// fn main() -> ExitCode {
///     bus_runtime::app().state(Mailer).run()
/// }
/// ```
#[must_use = "an app does nothing until it is run, served or started"]
pub struct App {
    name: Option<String>,
    version: Option<String>,
    pub(crate) config: Option<Config>,
    broker: Option<Broker>,
    state: StateMap,
    instances: GivenInstances,
    layers: Layers,
    /// Behind a lock for its type alone: with it, the future of `start` can be that of a task.
    setups: Mutex<Vec<Setup>>,
    registrations: Registrations,
    #[cfg(feature = "testing")]
    witness: Option<Arc<dyn Witness>>,
    level_hooks: LevelHooks,
    idempotency: Idempotency,
    /// How many messages it takes before it ends; `None` is any number.
    #[cfg(feature = "cli")]
    pub(crate) max_messages: Option<u64>,
}

/// Where the handlers come from.
enum Registrations {
    /// Whatever is linked into the program.
    Linked,
    /// These alone.
    Explicit(Vec<HandlerRegistration>),
}

/// An app with every handler that is linked into the program. See [`App`].
pub fn app() -> App {
    App {
        name: None,
        version: None,
        config: None,
        broker: None,
        state: StateMap::default(),
        instances: GivenInstances::default(),
        layers: Layers::default(),
        setups: Mutex::default(),
        registrations: Registrations::Linked,
        #[cfg(feature = "testing")]
        witness: None,
        level_hooks: LevelHooks::default(),
        idempotency: Idempotency::default(),
        #[cfg(feature = "cli")]
        max_messages: None,
    }
}

impl App {
    /// Gives handlers a value to take as [`State<T>`](crate::State).
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.state.insert(value);
        self
    }

    /// Gives the methods of a [`#[controller]`](macro@crate::controller) the only instance there is. They are called for it
    /// whatever project a message is from. A type with several instances implements [`Instances`](crate::Instances) instead.
    ///
    /// ```no_run
    /// use bus_runtime::prelude::*;
    ///
    /// struct Wiki {
    ///     name: String,
    /// }
    ///
    /// #[controller]
    /// impl Wiki {
    ///     #[react("wiki.#")]
    ///     async fn on_wiki(&self, key: RoutingKey) {
    ///         println!("{}: {key}", self.name);
    ///     }
    /// }
    ///
    /// fn main() -> ExitCode {
    ///     bus_runtime::app().instance(Wiki { name: "home".into() }).run()
    /// }
    /// ```
    ///
    /// # Errors
    /// (at start) [`Instance`](ErrorKind::Instance) for two of one type, for one whose type implements `Instances`, and for
    /// one without methods that are handlers.
    pub fn instance<T: Send + Sync + 'static>(mut self, instance: T) -> Self {
        self.instances.insert(instance);
        self
    }

    /// Runs something inside the runtime before the app connects: opens pools, migrates, adds state.
    ///
    /// ```no_run
    /// # struct Pool; impl Pool { async fn connect() -> Result<Self, std::io::Error> { Ok(Self) } }
    /// # fn f() -> std::process::ExitCode {
    /// bus_runtime::app().setup(async |app| Ok::<_, std::io::Error>(app.state(Pool::connect().await?))).run()
    /// # }
    /// ```
    pub fn setup<F, Fut, E>(mut self, setup: F) -> Self
    where
        F: FnOnce(App) -> Fut + Send + 'static,
        Fut: Future<Output = Result<App, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.setups.get_mut().unwrap_or_else(PoisonError::into_inner).push(Box::new(move |app| {
            let prepared = setup(app);
            Box::pin(async move { prepared.await.map_err(Into::into) })
        }));
        self
    }

    /// Names the app: in messages (`app_id`), consumer tags and logs. Without it, it is the name of the program's file.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The version that the banner shows: `env!("CARGO_PKG_VERSION")`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Takes these settings instead of those of the environment.
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// Runs on this embedded broker, which tests and other apps may share.
    pub fn embedded(mut self, broker: &EmbeddedBroker) -> Self {
        self.broker = Some(Broker::Embedded(broker.clone()));
        self
    }

    /// Runs on this transport.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.broker = Some(Broker::Other(transport));
        self
    }

    /// Adds a handler by hand, and ignores those that are linked: for programs where link-time registration is no choice.
    pub fn register(mut self, registration: HandlerRegistration) -> Self {
        match &mut self.registrations {
            Registrations::Explicit(registrations) => registrations.push(registration),
            Registrations::Linked => self.registrations = Registrations::Explicit(vec![registration]),
        }
        self
    }

    /// Ignores the handlers that are linked into the program: for an app that only publishes and executes commands.
    pub fn without_handlers(mut self) -> Self {
        self.registrations = Registrations::Explicit(Vec::new());
        self
    }

    /// Runs only the handlers that match one of these globs, as `--handlers` does: `wiki::*`, `billing::send_invoice`.
    ///
    /// # Errors
    /// (at start) [`UnknownHandler`](ErrorKind::UnknownHandler) for a glob that matches none.
    pub fn handlers<S: Into<String>>(mut self, globs: impl IntoIterator<Item = S>) -> Self {
        self.with_config(|config| config.handlers = globs.into_iter().map(Into::into).collect());
        self
    }

    /// Runs only the handlers of these groups, as `--groups` does. A group is the crate, a controller's name, or what the option
    /// `group` says; `*` stands for any text.
    ///
    /// # Errors
    /// (at start) [`UnknownHandler`](ErrorKind::UnknownHandler) for a group that there is not.
    pub fn groups<S: Into<String>>(mut self, groups: impl IntoIterator<Item = S>) -> Self {
        self.with_config(|config| config.groups = groups.into_iter().map(Into::into).collect());
        self
    }

    /// How long handlers may go on after shutdown has begun; 25 s without it.
    pub fn grace(mut self, time: Duration) -> Self {
        self.with_config(|config| config.grace = time);
        self
    }

    /// Remembers which messages have been handled: a handler is not called again for an idempotency key
    /// ([`Publish::idempotency_key`](crate::Publish::idempotency_key)) with which it has succeeded. Such a message is acknowledged
    /// and counted.
    ///
    /// A failed attempt gives the key back, and so do a dead letter and an interruption. While another message with the key is
    /// being handled, the duplicate waits, at most for the handler's timeout; then it goes back to its queue. Each handler, and
    /// each instance with a key of its own, handles a key once. Commands are handled whatever their key.
    ///
    /// It is no exactly-once: when the process dies after the handler has succeeded and before the store knows, the handler is
    /// called again.
    ///
    /// ```no_run
    /// use bus_runtime::MemoryStore;
    ///
    /// fn main() -> std::process::ExitCode {
    ///     bus_runtime::app().idempotency(MemoryStore::new()).run()
    /// }
    /// ```
    pub fn idempotency(mut self, store: impl IdempotencyStore) -> Self {
        self.idempotency = Idempotency::new(Arc::new(store));
        self
    }

    /// Calls this when a queue with `max_length` becomes nearly full (80 %), and when it has room again (50 %): once per
    /// crossing. The embedded broker tells each one as it happens; RabbitMQ tells nobody, so its queues are looked at once a
    /// second, and what rises and falls in between stays unseen. The hook must not wait, nor call the broker.
    pub fn on_queue_level(mut self, hook: impl Fn(&QueueLevel) + Send + Sync + 'static) -> Self {
        self.level_hooks.push(Arc::new(hook));
        self
    }

    /// Gives handlers another value than the app's own to take as [`State<T>`](crate::State), also where the app's
    /// [`setup`](Self::setup) makes one: a mailer that keeps the letters, a database of the test.
    ///
    /// ```standalone_crate
    /// use bus_runtime::prelude::*;
    ///
    /// struct Greeting { text: &'static str }
    ///
    /// #[react("visitor.came")]
    /// async fn greet(greeting: State<Greeting>) -> Outcome {
    ///     if greeting.text == "hi" { ack() } else { reject("too formal") }
    /// }
    ///
    /// fn app() -> bus_runtime::App {
    ///     bus_runtime::app().setup(async |app| Ok::<_, BoxError>(app.state(Greeting { text: "good day" })))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let bus = TestBus::start(app().override_state(Greeting { text: "hi" })).await;
    /// bus.react("visitor.came", &()).await;
    /// bus.settled().await;
    /// bus.dead_letters().none();
    /// # }
    /// ```
    #[cfg(feature = "testing")]
    pub fn override_state<T: Send + Sync + 'static>(self, value: T) -> Self {
        self.setup(async |app| Ok::<_, BoxError>(app.state(value)))
    }

    /// Runs on an embedded broker, by way of a transport that does to it what networks do.
    #[cfg(feature = "testing")]
    pub(crate) fn by_way_of(mut self, broker: &EmbeddedBroker, transport: Arc<dyn Transport>) -> Self {
        self.broker = Some(Broker::EmbeddedBehind(broker.clone(), transport));
        self
    }

    #[cfg(feature = "testing")]
    pub(crate) fn witnessed_by(mut self, witness: Arc<dyn Witness>) -> Self {
        self.witness = Some(witness);
        self
    }

    /// Answers over HTTP while the app runs: health, at `/livez`, `/readyz` and `/healthz`. [`run`](Self::run) does so at
    /// 127.0.0.1:9464 without being told; [`start`](Self::start) and [`serve`](Self::serve) only when this or `BUS_HTTP` says so.
    ///
    /// # Errors
    /// (at start) [`Config`](ErrorKind::Config) when the port cannot be opened.
    pub fn http(mut self, port: AdminPort) -> Self {
        self.with_config(|config| config.http = Some(port));
        self
    }

    /// Refuses to start without a broker's URL: nobody may lose messages silently in production.
    ///
    /// # Errors
    /// (at start) [`NoBroker`](ErrorKind::NoBroker).
    pub fn require_broker(mut self) -> Self {
        self.with_config(|config| config.require_broker = true);
        self
    }

    pub(crate) fn with_config(&mut self, change: impl FnOnce(&mut Config)) {
        if self.config.is_none() {
            // What is wrong with the environment is reported at start, when it is read again.
            self.config = Config::from_env().ok();
        }
        if let Some(config) = &mut self.config {
            change(config);
        }
    }

    /// Connects, declares, consumes and returns a handle to publish with. Other than [`run`](Self::run) it touches nothing
    /// global but the panic hook, which notes where handlers panic and calls the one that was there, and it accepts an app
    /// without handlers.
    ///
    /// # Errors
    /// Whatever keeps the app from running: see [`ErrorKind`].
    ///
    /// # Cancel safety
    /// When the future is dropped, nothing runs; what was declared stays declared.
    pub async fn start(self) -> Result<Bus, Error> {
        let app = self.prepared().await?;
        let (config, plan) = app.final_plan()?;
        // Before it connects: whoever asks hears that it is starting, however long that takes.
        let admin = Admin::open(config.http, &config.http_access)?;
        let broker = app.connect(&config).await?;
        bus::start(app, config, plan, broker, admin).await
    }

    /// The plan of an app that is about to run.
    fn final_plan(&self) -> Result<(Config, Plan), Error> {
        let mut config = self.settings()?;
        config.plan.instance = format!(".{}", crate::seam::message_id());
        let plan = self.plan_with(&config).map_err(first)?;
        self.check_state(&plan)?;
        self.instances.check(&plan, &self.registrations)?;
        self.check_layers(&config)?;
        Ok((config, plan))
    }

    /// Connects and declares, but consumes nothing.
    #[cfg(feature = "cli")]
    pub(crate) async fn start_idle(self) -> Result<(Bus, Layers), Error> {
        let app = self.prepared().await?;
        let (config, plan) = app.final_plan()?;
        let broker = app.connect(&config).await?;
        bus::prepare(app, config, plan, broker).await
    }

    /// Connects, and neither declares nor consumes.
    #[cfg(feature = "cli")]
    pub(crate) async fn publisher_only(self) -> Result<Bus, Error> {
        let config = self.settings()?;
        let broker = self.connect(&config).await?;
        bus::prepare(self, config, Plan::default(), broker).await.map(|(bus, _)| bus)
    }

    /// Connects and answers over HTTP; neither declares nor consumes, and no handler runs.
    #[cfg(all(feature = "cli", feature = "dashboard"))]
    pub(crate) async fn look_on(self) -> Result<Bus, Error> {
        let config = self.settings()?;
        let plan = self.plan_with(&config).map_err(first)?;
        let admin = Admin::open(config.http, &config.http_access)?;
        let broker = self.connect(&config).await?;
        Ok(bus::look_on(self, config, plan, broker, admin))
    }

    /// Connects to look at what the app has on the broker, and to change that; starts nothing. All handlers count, whatever
    /// `--handlers` says.
    ///
    /// # Errors
    /// Whatever keeps the app from connecting, or its handlers from fitting together.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub async fn provision(&self) -> Result<Provision, Error> {
        let config = self.settings()?;
        let plan = self.plan_with(&config).map_err(first)?;
        let transport = self.connect_only().await?;
        Ok(Provision::new(transport, &plan, self.owner(&config)))
    }

    /// Connects to the dead letters of the app; starts nothing.
    ///
    /// # Errors
    /// Whatever keeps the app from connecting, or its handlers from fitting together.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub async fn dead_letters(&self) -> Result<DeadLetters, Error> {
        let config = self.settings()?;
        let plan = self.plan_with(&config).map_err(first)?;
        let transport = self.connect_only().await?;
        Ok(DeadLetters::new(transport, &plan, config.plan.prefix))
    }

    pub(crate) fn owner(&self, config: &Config) -> Owner {
        Owner { prefix: config.plan.prefix.clone(), app: self.app_name(), version: self.version.clone() }
    }

    /// Starts, waits for `shutdown` or for somebody who asks the worker to drain (`workers drain`), and drains.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    ///
    /// # Cancel safety
    /// When the future is dropped, messages that are being handled are handled on in the background, within the grace period.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<Drained, Error> {
        let bus = self.start().await?;
        tokio::select! {
            biased;
            () = shutdown => {}
            () = bus.drain_requested() => {}
        }
        Ok(bus.shutdown().await)
    }

    /// What the handlers mean, without a broker.
    ///
    /// # Errors
    /// Every contradiction between the handlers.
    pub fn plan(&self) -> Result<Plan, Vec<Error>> {
        let config = self.settings().map_err(|error| vec![error])?;
        self.plan_with(&config)
    }

    pub(crate) fn plan_with(&self, config: &Config) -> Result<Plan, Vec<Error>> {
        let all = match &self.registrations {
            Registrations::Linked => plan(HandlerRegistration::linked(), &config.plan)?,
            Registrations::Explicit(registrations) => plan(registrations, &config.plan)?,
        };
        if config.handlers.is_empty() && config.exclude.is_empty() && config.groups.is_empty() {
            return Ok(all);
        }
        filter::filtered(all, config).map_err(|error| vec![error])
    }

    pub(crate) fn settings(&self) -> Result<Config, Error> {
        match &self.config {
            Some(config) => Ok(config.clone()),
            None => Config::from_env(),
        }
    }

    pub(crate) fn app_name(&self) -> String {
        self.name.clone().unwrap_or_else(program_name)
    }

    #[cfg(feature = "cli")]
    pub(crate) fn app_version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    async fn prepared(mut self) -> Result<Self, Error> {
        let mut setups = std::mem::take(self.setups.get_mut().unwrap_or_else(PoisonError::into_inner));
        for setup in setups.drain(..) {
            self = setup(self)
                .await
                .map_err(|error| Error::new(ErrorKind::Setup, "the app's setup failed").with_source(error))?;
        }
        Ok(self)
    }

    /// A handler that takes a state which was never given would send every message to the dead letters.
    fn check_state(&self, plan: &Plan) -> Result<(), Error> {
        let missing = |entry: &Arc<HandlerEntry>| {
            let mut arguments = Arguments::default();
            (entry.arguments)(&mut arguments);
            let (_, name) = arguments.state.into_iter().find(|(id, _)| !self.state.holds(*id))?;
            Some((Arc::clone(entry), name))
        };
        match plan.handlers.iter().find_map(missing) {
            None => Ok(()),
            Some((entry, name)) => Err(Error::new(
                ErrorKind::MissingState,
                format!("{} takes State<{name}>, and the app has none", entry.name),
            )
            .with_place(entry.place, "this handler")
            .with_help("give it to the app: bus_runtime::app().state(..)")),
        }
    }
}

/// The first of several errors, for those who want one.
pub(crate) fn first(errors: Vec<Error>) -> Error {
    let contradiction = || Error::new(ErrorKind::Registration, "the handlers contradict each other");
    errors.into_iter().next().unwrap_or_else(contradiction)
}

/// The name of the program's file.
fn program_name() -> String {
    let path = std::env::args_os().next().map(std::path::PathBuf::from).unwrap_or_default();
    path.file_stem().map_or_else(|| "app".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("name", &self.app_name())
            .field("state", &self.state)
            .field("instances", &self.instances)
            .field("layers", &self.layers)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
