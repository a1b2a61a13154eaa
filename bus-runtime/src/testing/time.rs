//! Which clock a test goes by.

use std::time::Duration;

mod sealed {
    pub trait Sealed {}
}

/// Which clock a test goes by: [`VirtualTime`] or [`RealTime`].
pub trait Time: sealed::Sealed + Send + Sync + 'static {
    /// How long the bus may take to settle.
    #[doc(hidden)]
    const SETTLE_MAX: Duration;
    /// How the runtime's clock goes.
    #[doc(hidden)]
    const CLOCK: Clock;
}

/// Whether the clock of a runtime moves by itself.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    Paused,
    Running,
}

/// The clock of the test itself, which moves when the test says so: [`TestBus::advance`](super::TestBus::advance).
#[derive(Clone, Copy, Debug)]
pub enum VirtualTime {}

/// The clock on the wall. A broker that is a program of its own knows no other, so there is no `advance` on a
/// `TestBus<RealTime>`.
#[derive(Clone, Copy, Debug)]
pub enum RealTime {}

impl sealed::Sealed for VirtualTime {}

impl Time for VirtualTime {
    // Handlers without a timeout may take long, and the clock jumps.
    const SETTLE_MAX: Duration = Duration::from_secs(60 * 60);
    const CLOCK: Clock = Clock::Paused;
}

impl sealed::Sealed for RealTime {}

impl Time for RealTime {
    const SETTLE_MAX: Duration = Duration::from_secs(60);
    const CLOCK: Clock = Clock::Running;
}
