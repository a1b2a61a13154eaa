//! `run`: handle messages until stopped.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::signals::Signals;
use super::{banner, block_on, doctor, notify, report};
#[cfg(feature = "admin")]
use crate::admin::AdminPort;
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
    /// Only the handlers of these groups [env: BUS_GROUPS]
    #[arg(long, value_name = "GROUP,..", value_delimiter = ',')]
    groups: Vec<String>,
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
    /// Where health and metrics are served over HTTP: an address, a port or `off`; 127.0.0.1:9464 without it [env: BUS_HTTP]
    #[cfg(feature = "admin")]
    #[arg(long, value_name = "ADDRESS", value_parser = super::admin_port)]
    http: Option<AdminPort>,
    /// What stands in front of the names of all metrics [env: BUS_METRICS_PREFIX]
    #[arg(long, value_name = "PREFIX", value_parser = super::metrics_prefix)]
    metrics_prefix: Option<String>,
    /// Run `doctor` first, and start only when nothing has failed
    #[arg(long)]
    check: bool,
    /// Handle what is queued, then exit
    #[arg(long, visible_alias = "drain-and-exit")]
    once: bool,
    /// End after so many messages, as after SIGTERM; each attempt counts
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_messages: Option<u64>,
    /// End after this time, as after SIGTERM
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    max_runtime: Option<Duration>,
    /// Build the program anew and restart it when a source changes; only in debug builds [env: RELOAD]
    #[arg(long)]
    reload: bool,
    /// The folder that --reload watches; `src` of the package without it [env: SRC_DIR]
    #[arg(long, value_name = "FOLDER")]
    src_dir: Option<PathBuf>,
    /// What --reload builds with, as a line of the shell; `cargo build --bin NAME` without it
    #[arg(long, value_name = "COMMAND")]
    build: Option<String>,
    /// Refuse to run on the embedded broker [env: BUS_REQUIRE_BROKER]
    #[arg(long)]
    require_broker: bool,
}

pub(super) fn run(mut app: App, arguments: &RunArgs) -> ExitCode {
    if let Err(error) = arguments.apply(&mut app) {
        return report::failed(&[error]);
    }
    match arguments.reloads(&app) {
        Ok(None) => {}
        Ok(Some(code)) => return code,
        Err(error) => return report::failed(&[error]),
    }
    match app.plan() {
        Err(errors) => return report::failed(&errors),
        Ok(plan) if plan.handlers.is_empty() => return report::failed(&[no_handlers()]),
        Ok(_) => {}
    }
    if arguments.check {
        match doctor::examine_at_once(&mut app) {
            Ok(diagnosis) => {
                report::aside(&diagnosis.table());
                if diagnosis.exit() != 0 {
                    return ExitCode::from(diagnosis.exit());
                }
            }
            Err(error) => return report::failed(&[error]),
        }
    }
    super::log::install_panic_hook();
    #[cfg(feature = "admin")]
    crate::observe::install();
    app.max_messages = arguments.max_messages;
    let at_most = arguments.max_runtime;
    let ran = block_on(async {
        match arguments.once {
            true => once(app, at_most).await,
            false => until_signal(app, at_most).await,
        }
    });
    match ran.and_then(|ran| ran) {
        Ok(drained) if drained.is_clean() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(INTERRUPTED),
        Err(error) => report::failed(&[error]),
    }
}

/// The same on the embedded broker.
pub(super) fn embedded(mut app: App, arguments: &RunArgs) -> ExitCode {
    app.with_config(|config| {
        config.broker_url = None;
        config.broker_from = None;
    });
    run(app, arguments)
}

/// EX_TEMPFAIL of sysexits(3): messages went back to their queues.
const INTERRUPTED: u8 = 75;

/// How long the connections of a command may take to flush and close.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

impl RunArgs {
    /// Watches the sources instead of handling messages, when that is asked for.
    fn reloads(&self, app: &App) -> Result<Option<ExitCode>, Error> {
        let config = app.settings()?;
        if !self.reload && !config.reload {
            return Ok(None);
        }
        #[cfg(unix)]
        {
            let sources = self.src_dir.as_deref().or(config.src_dir.as_deref());
            let reload = super::reload::Reload::new(sources, self.build.as_deref())?;
            block_on(reload.run())?.map(Some)
        }
        #[cfg(not(unix))]
        Err(Error::new(ErrorKind::Config, "`--reload` needs signals, which this system does not have"))
    }

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
            if !self.groups.is_empty() {
                config.groups.clone_from(&self.groups);
            }
            if !self.exclude.is_empty() {
                config.exclude.clone_from(&self.exclude);
            }
            if let Some(concurrency) = self.concurrency {
                config.plan.concurrency = concurrency;
            }
            config.plan.prefetch = self.prefetch.or(config.plan.prefetch);
            #[cfg(feature = "admin")]
            {
                config.http = self.http.or(config.http).or(Some(AdminPort::Default));
            }
            if let Some(prefix) = &self.metrics_prefix {
                config.metrics.prefix.clone_from(prefix);
            }
            config.grace = self.shutdown_grace.unwrap_or(config.grace);
        });
        Ok(())
    }
}

async fn until_signal(app: App, at_most: Option<Duration>) -> Result<Drained, Error> {
    let started = crate::seam::now();
    let identity = banner::Identity::of(&app);
    let settings = app.settings()?;
    let signals = Signals::listen(settings.grace, INTERRUPTED, at_most)?;
    let bus = tokio::select! {
        bus = app.start() => bus?,
        // Nothing has begun yet: there is nothing to drain.
        () = signals.first() => return Ok(Drained::default()),
    };
    crate::publish::set_process_wide(&bus.running().hub);
    banner::started(&identity, &bus, started.elapsed());
    notify::ready(settings.supervisor.clone(), bus.running());
    tokio::select! {
        () = signals.first() => {}
        () = bus.running().hub.budget.spent() => {
            // What is queued stays queued.
            bus.running().stop_taking(settings.grace);
            signals.raise();
        }
        () = bus.drain_requested() => signals.raise(),
    }
    notify::stopping(settings.supervisor.as_ref());
    let running = std::sync::Arc::clone(bus.running());
    banner::draining(&running);
    let began = crate::seam::now();
    let drained = bus.shutdown_or(signals.second()).await;
    banner::drained(&running.stats(), drained, began.elapsed());
    Ok(drained)
}

async fn once(app: App, at_most: Option<Duration>) -> Result<Drained, Error> {
    let settings = app.settings()?;
    let signals = Signals::listen(settings.grace, INTERRUPTED, at_most)?;
    let (bus, layers) = tokio::select! {
        idle = app.start_idle() => idle?,
        () = signals.first() => return Ok(Drained::default()),
    };
    crate::publish::set_process_wide(&bus.running().hub);
    let running = std::sync::Arc::clone(bus.running());
    let stop = async {
        signals.first().await;
        // What is queued stays queued; it is only what has begun that is waited for.
        running.stop_taking(settings.grace);
        banner::draining(&running);
        signals.second().await;
        running.hurry();
        std::future::pending::<()>().await;
    };
    let began = crate::seam::now();
    let (handled, interrupted) = tokio::select! {
        handled = bus.drain_queues(&layers) => handled?,
        () = stop => (0, 0),
    };
    let stats = bus.stats();
    let drained = bus.shutdown_or(signals.second()).await.and_interrupted(interrupted);
    tracing::info!(messages = handled, "handled what was queued");
    banner::drained(&stats, drained, began.elapsed());
    Ok(drained)
}

fn no_handlers() -> Error {
    Error::new(ErrorKind::NoHandlers, "no handlers are registered in this binary").with_help(
        "handlers live in another crate? add  use my_handlers as _;  or  bus_runtime::link!(my_handlers);  to main.rs: \
         the linker drops crates that nothing refers to",
    )
}
