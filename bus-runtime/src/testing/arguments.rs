//! What a test may take as arguments, and what it may return.

use std::fmt::Debug;

use super::{TestBus, Time};
use crate::extract::State;

/// What a [`#[bus_runtime::test]`](macro@crate::test) may take as an argument: its [`TestBus`], and [`State<T>`](crate::State) of
/// its app.
#[diagnostic::on_unimplemented(
    message = "a test can't take `{Self}` here",
    label = "not the bus of this test, nor state of its app",
    note = "a test takes `bus: TestBus`, and `State<T>` of what its app was given",
    note = "with `on(rabbitmq)` the clock is the one on the wall: take `bus: TestBus<RealTime>`, which has no `advance`"
)]
pub trait FromTestBus<T: Time>: Sized {
    /// The argument.
    fn from_test_bus(bus: &TestBus<T>) -> Self;
}

impl<T: Time> FromTestBus<T> for TestBus<T> {
    fn from_test_bus(bus: &TestBus<T>) -> Self {
        bus.clone()
    }
}

impl<T: Time, S: Send + Sync + 'static> FromTestBus<T> for State<S> {
    fn from_test_bus(bus: &TestBus<T>) -> Self {
        bus.state()
    }
}

/// What a [`#[bus_runtime::test]`](macro@crate::test) may return.
#[diagnostic::on_unimplemented(
    message = "a test can't return `{Self}`",
    label = "neither success nor an error",
    note = "return `()`, or `Result<(), E>` where `E` can be printed with `{{:?}}`"
)]
pub trait TestOutput {
    /// The error, if it is one.
    fn into_failure(self) -> Option<String>;
}

impl TestOutput for () {
    fn into_failure(self) -> Option<String> {
        None
    }
}

impl<E: Debug> TestOutput for Result<(), E> {
    fn into_failure(self) -> Option<String> {
        self.err().map(|error| format!("{error:?}"))
    }
}
