//! What every transport has to do alike, as tests for whoever writes one.
//!
//! Each behaviour is a function over a [`Bench`], a corner of a broker, and its documentation says what has to hold.
//! [`transport_conformance!`](crate::transport_conformance) makes a test of each. The tests of the embedded broker and of RabbitMQ are
//! these, and RabbitMQ is the measure: a worker relies on what it does.
//!
//! ```
//! use std::sync::Arc;
//!
//! use bus_runtime::EmbeddedBroker;
//! use bus_runtime::conformance::Bench;
//!
//! // In place of the embedded broker stands your transport. Each test has one of its own.
//! bus_runtime::transport_conformance!(embedded, async { Bench::new(Arc::new(EmbeddedBroker::new()), "t.") });
//! # fn main() {}
//! ```
//!
//! In a file below `tests/`, that is a hundred tests such as `embedded::routing::t1_topic_matrix`; `cargo test embedded::routing` runs some of
//! them. One that fails names what does not hold, and on which broker.
//!
//! # What is not in here
//!
//! How a transport comes back after it has lost its connection, since only its author knows how to cut it, and what tells about
//! itself alone: [`survey`](crate::transport::Transport::survey), [`limits`](crate::transport::Transport::limits) and
//! [`watch_levels`](crate::transport::Transport::watch_levels).
//!
//! # Cancel safety
//!
//! A behaviour that is dropped on its way leaves on the broker what it has made there.

#![allow(clippy::missing_panics_doc, reason = "what does not hold panics")]

mod bench;
pub mod browsing;
pub mod comparing;
pub mod consuming;
pub mod dead_letters;
pub mod declaring;
pub mod expiry;
mod judge;
pub mod limits;
mod list;
pub mod publishing;
pub mod requeue;
pub mod routing;

pub use self::bench::{Bench, Reader, eventually, message, text};
#[doc(hidden)]
pub use self::judge::judge;

/// How long a behaviour waits for what must happen.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(15);

/// How long a behaviour waits to see that nothing happens.
pub const MOMENT: std::time::Duration = std::time::Duration::from_millis(150);
