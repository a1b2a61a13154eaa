//! The log of a program that uses `run()`: to stderr, for people on a terminal, else as JSON.

use std::cell::Cell;
use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing::Level;
#[cfg(feature = "otel")]
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use self::fields::{NamedFields, TextFields};
use self::lines::{JsonLines, TextLines};
use super::clean::CleanWriter;
use super::colour::{self, Stream};
use super::{LogFormat, Options};
use crate::app::App;
use crate::config::Config;

mod fields;
mod lines;

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Installs the log, unless the program has done so itself.
pub(super) fn install(app: &App, config: &Config, options: &Options, format: Option<LogFormat>) {
    let format = format.unwrap_or_else(|| {
        if std::io::stderr().is_terminal() { LogFormat::Compact } else { LogFormat::Json }
    });
    let format = *FORMAT.get_or_init(|| format);
    let level = match (options.quiet, options.verbose) {
        (true, _) => "error",
        // The client library reports as errors what the transport recovers from, and reports better.
        (false, 0) => "info,lapin=off,bus_runtime::spans=off",
        (false, 1) => "debug,lapin=info,bus_runtime::spans=off",
        (false, _) => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = format != LogFormat::Json && colour::is_wanted(Stream::Err);
    let writer = move || CleanWriter { to: std::io::stderr(), format, colours };
    let log = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colours);
    let log = match format {
        LogFormat::Pretty => log.pretty().fmt_fields(TextFields).boxed(),
        LogFormat::Compact => log.fmt_fields(NamedFields).event_format(TextLines).boxed(),
        LogFormat::Json => log.fmt_fields(NamedFields).event_format(JsonLines).boxed(),
    };
    let discreet = filter_fn(|event| !shows_secrets(event.target(), *event.level()));
    let registry = tracing_subscriber::registry().with(discreet);
    // An error means that the program has installed a subscriber of its own, which is then the right one.
    let _ = registry.with(log.with_filter(filter)).with(traces(app, config)).try_init();
}

/// A layer in a box, over everything that `install` builds.
type Traces<S> = Box<dyn Layer<S> + Send + Sync>;

/// What exports spans, when that is wanted.
#[cfg(feature = "otel")]
fn traces<S>(app: &App, config: &Config) -> Option<Traces<S>>
where
    S: tracing::Subscriber + for<'s> tracing_subscriber::registry::LookupSpan<'s> + Send + Sync,
{
    if !config.traces.exports {
        return None;
    }
    match crate::observe::otel::layer(&app.app_name(), app.app_version()) {
        Ok(layer) => Some(layer.with_filter(LevelFilter::INFO).boxed()),
        Err(error) => {
            super::report::warning(&format!("traces are not exported: {error}"));
            None
        }
    }
}

#[cfg(not(feature = "otel"))]
fn traces<S: tracing::Subscriber>(_app: &App, config: &Config) -> Option<Traces<S>> {
    if config.traces.exports {
        super::report::warning("traces are not exported: build bus-runtime with its feature `otel`");
    }
    None
}

/// Sends what is left of the traces.
pub(super) fn finish() {
    #[cfg(feature = "otel")]
    crate::observe::otel::finish();
}

/// Whether an event may show a password: the client library traces each frame that it writes, and the login is one of them.
fn shows_secrets(target: &str, level: Level) -> bool {
    level == Level::TRACE && ["lapin::io_loop", "lapin::frames"].contains(&target)
}

/// Whether whoever reads the log is a person.
pub(super) fn is_for_people() -> bool {
    FORMAT.get().is_none_or(|format| *format != LogFormat::Json)
}

thread_local! {
    static IN_HOOK: Cell<bool> = const { Cell::new(false) };
}

/// Lets panics of handlers go to the log with their place, instead of to stderr as text.
pub(super) fn install_panic_hook() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if is_for_people() || IN_HOOK.replace(true) {
            return previous(info);
        }
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let text = crate::middleware::panic_text(info.payload());
        tracing::error!(place, panic = text, "panicked");
        IN_HOOK.set(false);
    }));
}
