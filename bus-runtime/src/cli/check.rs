//! `check`: whether the handlers fit together, without a broker.

use std::process::ExitCode;

use clap::Args;

use super::report;
use crate::app::App;

/// Options of `check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// How many handlers there should be: finds those that the linker has dropped
    #[arg(long, value_name = "N")]
    expect: Option<usize>,
    /// Accepted for compatibility: it never needs the broker
    #[arg(long, hide = true)]
    offline: bool,
}

/// The command ran, and the answer is bad.
const PROBLEMS: u8 = 1;

pub(super) fn check(app: &App, arguments: &CheckArgs) -> ExitCode {
    let plan = match app.plan() {
        Ok(plan) => plan,
        Err(errors) => {
            report::failed(&errors);
            return ExitCode::from(PROBLEMS);
        }
    };
    let found = plan.handlers.len();
    if let Some(expected) = arguments.expect.filter(|expected| *expected != found) {
        report::warning(&format!(
            "{} expected, {found} linked; a crate that nothing refers to is dropped: bus_runtime::link!(..)",
            report::count(expected as u64, "handler")
        ));
        return ExitCode::from(PROBLEMS);
    }
    report::print(&format!(
        "ok: {}, {}\n",
        report::count(found as u64, "handler"),
        report::count(plan.queues.len() as u64, "queue")
    ))
}
