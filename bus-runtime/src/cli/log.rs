//! The log of a program that uses `run()`: to stderr, for people on a terminal, else as JSON.

use std::cell::Cell;
use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::clean::CleanWriter;
use super::{LogFormat, Options};

static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Installs the log, unless the program has done so itself.
pub(super) fn install(options: &Options, format: Option<LogFormat>) {
    let format = format.unwrap_or_else(|| {
        if std::io::stderr().is_terminal() { LogFormat::Compact } else { LogFormat::Json }
    });
    let format = *FORMAT.get_or_init(|| format);
    let level = match (options.quiet, options.verbose) {
        (true, _) => "error",
        // The client library reports as errors what the transport recovers from, and reports better.
        (false, 0) => "info,lapin=off",
        (false, 1) => "debug,lapin=info",
        (false, _) => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || CleanWriter { to: std::io::stderr(), format, colours })
        .with_ansi(colours);
    let discreet = filter_fn(|event| !shows_secrets(event.target(), *event.level()));
    // An error means that the program has installed a subscriber of its own, which is then the right one.
    let _ = match format {
        LogFormat::Pretty => log.pretty().finish().with(discreet).try_init(),
        LogFormat::Compact => log.compact().finish().with(discreet).try_init(),
        LogFormat::Json => log.json().flatten_event(true).finish().with(discreet).try_init(),
    };
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
