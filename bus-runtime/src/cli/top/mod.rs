//! `top`: the numbers of `stats`, and more, on a terminal that is drawn anew.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;
use crate::app::App;

#[cfg(feature = "top")]
mod draw;
#[cfg(feature = "top")]
mod grid;
#[cfg(feature = "top")]
mod live;
#[cfg(feature = "top")]
mod seen;
#[cfg(feature = "top")]
mod state;
#[cfg(all(feature = "top", test))]
mod tests;

/// Options of `top`.
#[derive(Args, Clone, Debug)]
#[command(after_help = KEYS)]
pub struct TopArgs {
    /// Print one frame and end: for scripts
    #[arg(long)]
    once: bool,
    /// What is shown first
    #[arg(long, value_enum, value_name = "TAB", default_value = "overview")]
    tab: Tab,
    /// The time between two looks
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2s")]
    interval: Duration,
    /// How long to wait for answers of workers
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2s")]
    timeout: Duration,
}

const KEYS: &str = "\
Keys:
  Tab, left, right, 1-6    the tabs
  j, k, up, down           the row
  Enter                    everything about the row; Esc closes it
  /                        only rows with this text; Esc forgets it
  r                        replay the group of dead letters, after a question
  P                        pause, go on
  q                        the end

It needs the feature `top` of bus-runtime. Workers are asked through the exchange bus.control.";

/// What is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Tab {
    #[default]
    Overview,
    Handlers,
    Queues,
    Failures,
    DeadLetters,
    Workers,
}

pub(super) fn top(app: &App, arguments: &TopArgs) -> ExitCode {
    #[cfg(feature = "top")]
    return live::run(app, arguments);
    #[cfg(not(feature = "top"))]
    return absent(app, arguments);
}

#[cfg(not(feature = "top"))]
fn absent(_: &App, TopArgs { once: _, tab: _, interval: _, timeout: _ }: &TopArgs) -> ExitCode {
    use super::report;
    use crate::error::{Error, ErrorKind};

    report::failed(&[Error::new(ErrorKind::Config, "this program is built without the terminal dashboard")
        .with_help("build bus-runtime with its feature `top`; `stats --watch` shows numbers without it")])
}
