//! What can be seen of a running app from outside: metrics and traces.

mod address;
mod context;
mod facade;
mod handler;
mod meters;
mod names;
mod settings;
pub(crate) mod spans;
mod traces;

#[cfg(all(feature = "otel", feature = "cli"))]
pub(crate) mod otel;

#[cfg(feature = "cli")]
mod alerts;
#[cfg(feature = "cli")]
mod grafana;

#[cfg(feature = "admin")]
mod gather;
#[cfg(feature = "admin")]
mod json;
#[cfg(feature = "admin")]
mod looks;
#[cfg(feature = "admin")]
mod process;
#[cfg(feature = "admin")]
mod recorded;
#[cfg(feature = "admin")]
mod series;
#[cfg(feature = "admin")]
mod text;

pub(crate) use address::Address;
pub(crate) use meters::{Meters, QueueMeters, SentAs, Watch};
pub use settings::MetricsSettings;
pub use traces::{TraceParent, TraceSettings};

#[cfg(feature = "cli")]
pub(crate) use alerts::alerts;
#[cfg(feature = "cli")]
pub(crate) use grafana::dashboard;
#[cfg(feature = "admin")]
pub(crate) use json::{Percentiles, json};
#[cfg(feature = "admin")]
pub(crate) use looks::Looked;
#[cfg(all(feature = "admin", feature = "cli"))]
pub(crate) use process::cpu_seconds;
#[cfg(all(feature = "admin", feature = "cli"))]
pub(crate) use recorded::install;
#[cfg(feature = "admin")]
pub(crate) use text::{Exposition, text};

/// Only the admin port tells about the process.
#[cfg(all(feature = "cli", not(feature = "admin")))]
pub(crate) fn cpu_seconds() -> Option<f64> {
    None
}
