//! One behaviour on one broker: whether it holds, and what a test says when it does not.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use super::Bench;
use crate::middleware::panic_text;

/// Runs one behaviour: each test of [`transport_conformance!`](crate::transport_conformance) does. An exception is the name of one
/// that is not expected to hold, and why.
///
/// # Panics
/// When it does not hold, or when it does although it is an exception.
pub fn judge(
    name: &str,
    exceptions: &[(&str, &str)],
    connect: impl AsyncFnOnce() -> Option<Bench>,
    behaviour: impl AsyncFnOnce(&Bench),
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let verdict = runtime.expect("a runtime for the test").block_on(async {
        // Without a broker there is nothing to say.
        let bench = connect().await?;
        let broker = bench.transport().describe();
        let ended = AssertUnwindSafe(behaviour(&bench)).catch_unwind().await;
        bench.clean_up().await;
        let exception = exceptions.iter().find(|(exception, _)| *exception == name);
        let on = format!("{} ({}, {})", broker.system, broker.address, broker.server);
        match (ended, exception) {
            (Ok(()), None) | (Err(_), Some(_)) => None,
            (Err(panic), None) => Some(format!(
                "`{name}` does not hold on {on}: {}\nwhat has to hold stands at `bus_runtime::conformance::{name}`",
                panic_text(panic.as_ref())
            )),
            (Ok(()), Some((_, why))) => Some(format!(
                "`{name}` holds on {on}, and stands after `except` all the same ({why}): take it out there"
            )),
        }
    });
    if let Some(verdict) = verdict {
        panic!("{verdict}");
    }
}
