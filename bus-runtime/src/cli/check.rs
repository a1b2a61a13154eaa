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
            "{expected} handlers are expected and {found} are linked; a crate that nothing refers to is dropped: bus_runtime::link!(..)"
        ));
        return ExitCode::from(PROBLEMS);
    }
    report::print(&format!("ok: {found} handlers, {} queues\n", plan.queues.len()))
}
