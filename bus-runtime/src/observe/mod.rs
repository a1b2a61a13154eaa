//! What can be seen of a running app from outside: metrics.

mod facade;
mod handler;
mod meters;
mod names;
mod settings;

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

pub(crate) use meters::{Meters, QueueMeters, SentAs, Watch};
pub use settings::MetricsSettings;

#[cfg(feature = "cli")]
pub(crate) use alerts::alerts;
#[cfg(feature = "cli")]
pub(crate) use grafana::dashboard;
#[cfg(feature = "admin")]
pub(crate) use json::{Percentiles, json};
#[cfg(feature = "admin")]
pub(crate) use looks::Looked;
#[cfg(all(feature = "admin", feature = "cli"))]
pub(crate) use recorded::install;
#[cfg(feature = "admin")]
pub(crate) use text::{Exposition, text};
