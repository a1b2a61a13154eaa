//! What every transport has to do alike: functions over one [`Bench`], run unchanged on each of them.
//!
//! RabbitMQ is the measure. Where the embedded broker differs, it is wrong.

mod bench;
pub mod browsing;
pub mod comparing;
pub mod consuming;
pub mod dead_letters;
pub mod declaring;
pub mod expiry;
pub mod limits;
pub mod publishing;
pub mod requeue;
pub mod routing;

pub use self::bench::{Bench, Reader, eventually, message, text};

/// How long a test waits for what must happen.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(15);

/// How long a test waits to see that nothing happens.
pub const MOMENT: std::time::Duration = std::time::Duration::from_millis(150);
