//! The worst night, seen from the worker: real processes that are stopped, killed and starved.

#![cfg(unix)]
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "clippy does not see that these modules are tests"
)]

#[path = "worst/ending.rs"]
mod ending;
#[path = "worst/fleet.rs"]
mod fleet;
#[path = "worst/hostile.rs"]
mod hostile;
#[path = "worst/inside.rs"]
mod inside;
#[path = "worst/killed.rs"]
mod killed;
#[path = "worst/poison.rs"]
mod poison;
#[path = "worst/worker.rs"]
mod worker;
