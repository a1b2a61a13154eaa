//! What the test harness promises to those who test their handlers with it, tested with it.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "these are tests, and clippy does not see that"
)]

#[path = "harness/asking.rs"]
mod asking;
#[path = "harness/brokers.rs"]
mod brokers;
#[path = "harness/explaining.rs"]
mod explaining;
#[path = "harness/handlers.rs"]
mod handlers;
#[path = "harness/line.rs"]
mod line;
#[path = "harness/stubs.rs"]
mod stubs;
#[path = "harness/time.rs"]
mod time;

/// What a test says that fails.
fn complaint(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).expect("a panic with a text")
}

/// What an assertion says that fails.
fn refused(assertion: impl FnOnce()) -> String {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(assertion));
    complaint(caught.expect_err("the assertion fails").as_ref())
}
