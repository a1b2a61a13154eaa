//! `run`: handle messages until stopped.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::{banner, block_on, report};
use crate::app::{App, Drained};
use crate::config::Patience;
use crate::error::{Error, ErrorKind};
use crate::provision::Declare;

/// Options of `run`.
#[derive(Args, Clone, Debug, Default)]
pub struct RunArgs {
    /// Only these handlers, as globs: wiki::*,billing::send_invoice [env: HANDLERS]
    #[arg(long, value_name = "GLOB,..", value_delimiter = ',')]
    handlers: Vec<String>,
    /// All handlers but these [env: BUS_EXCLUDE]
    #[arg(long, value_name = "GLOB,..", value_delimiter = ',')]
    exclude: Vec<String>,
    /// Messages of one queue handled at once, where the handler does not say [env: BUS_CONCURRENCY]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: Option<u16>,
    /// Messages fetched ahead per queue, where the handler does not say [env: BUS_PREFETCH]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    prefetch: Option<u16>,
    /// How long handlers may go on after a signal [env: BUS_SHUTDOWN_GRACE]
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    shutdown_grace: Option<Duration>,
    /// How long to try to reach a broker that is away at start: a time, or `forever` (the default) [env: BUS_WAIT_FOR_BROKER]
    #[arg(long, value_name = "TIME")]
    wait_for_broker: Option<String>,
    /// What is declared at start: everything, what is missing, or nothing but a check [env: BUS_DECLARE]
    #[arg(long, value_enum, value_name = "WHEN")]
    declare: Option<Declare>,
    /// Handle what is queued, then exit
    #[arg(long, visible_alias = "drain-and-exit")]
    once: bool,
    /// Refuse to run on the embedded broker [env: BUS_REQUIRE_BROKER]
    #[arg(long)]
    require_broker: bool,
}

pub(super) fn run(mut app: App, arguments: &RunArgs) -> ExitCode {
    if let Err(error) = arguments.apply(&mut app) {
        return report::failed(&[error]);
    }
    match app.plan() {
        Err(errors) => return report::failed(&errors),
        Ok(plan) if plan.handlers.is_empty() => return report::failed(&[no_handlers()]),
        Ok(_) => {}
    }
    super::log::install_panic_hook();
    let ran = block_on(async { if arguments.once { once(app).await } else { until_signal(app).await } });
    match ran.and_then(|ran| ran) {
        Ok(Drained { interrupted: 0, lost: 0, .. }) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(INTERRUPTED),
        Err(error) => report::failed(&[error]),
    }
}

/// EX_TEMPFAIL of sysexits(3): messages went back to their queues.
const INTERRUPTED: u8 = 75;

/// How long the connections of a command may take to flush and close.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

impl RunArgs {
    fn apply(&self, app: &mut App) -> Result<(), Error> {
        let wait = match self.wait_for_broker.as_deref() {
            None => None,
            Some("forever") => Some(Patience::Forever),
            Some(text) => Some(Patience::For(super::duration(text).map_err(|help| {
                Error::new(ErrorKind::Config, format!("--wait-for-broker `{text}` is not a duration"))
                    .with_help(help)
            })?)),
        };
        app.with_config(|config| {
            // A worker that starts before its broker is no mistake; other commands fail at once.
            config.wait_for_broker = wait.or(config.wait_for_broker).or(Some(Patience::Forever));
            config.declare = self.declare.unwrap_or(config.declare);
            config.require_broker |= self.require_broker;
            if !self.handlers.is_empty() {
                config.handlers.clone_from(&self.handlers);
            }
            if !self.exclude.is_empty() {
                config.exclude.clone_from(&self.exclude);
            }
            if let Some(concurrency) = self.concurrency {
                config.plan.concurrency = concurrency;
            }
            config.plan.prefetch = self.prefetch.or(config.plan.prefetch);
            config.grace = self.shutdown_grace.unwrap_or(config.grace);
        });
        Ok(())
    }
}

async fn until_signal(app: App) -> Result<Drained, Error> {
    let started = crate::seam::now();
    let identity = banner::Identity::of(&app);
    let mut signals = Signals::new()?;
    let bus = tokio::select! {
        bus = app.start() => bus?,
        // Nothing has begun yet: there is nothing to drain.
        () = signals.next() => return Ok(Drained::default()),
    };
    crate::publish::set_process_wide(&bus.running().hub);
    banner::started(&identity, &bus, started.elapsed());
    signals.next().await;
    banner::draining();
    let stats = std::sync::Arc::clone(bus.running());
    let drained = bus.shutdown_or(signals.next()).await;
    banner::drained(&stats.stats(), drained);
    Ok(drained)
}

async fn once(app: App) -> Result<Drained, Error> {
    let (bus, layers) = app.start_idle().await?;
    crate::publish::set_process_wide(&bus.running().hub);
    let handled = bus.drain_queues(&layers).await?;
    let stats = bus.stats();
    let drained = bus.shutdown().await;
    tracing::info!(messages = handled, "nothing is queued any more");
    banner::drained(&stats, drained);
    Ok(drained)
}

fn no_handlers() -> Error {
    Error::new(ErrorKind::NoHandlers, "no handlers are registered in this binary").with_help(
        "handlers live in another crate? add  use my_handlers as _;  or  bus_runtime::link!(my_handlers);  to main.rs: \
         the linker drops crates that nothing refers to",
    )
}

/// SIGTERM and SIGINT.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> Result<Self, Error> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| {
            signal(kind)
                .map_err(|error| Error::new(ErrorKind::Config, "can't listen to signals").with_source(error))
        };
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn new() -> Result<Self, Error> {
        Ok(Self {})
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
