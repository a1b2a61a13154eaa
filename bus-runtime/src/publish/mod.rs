//! Publishing: the handle, and the message on its way out.

mod and_settle;
mod draft;
mod pressure;
mod publisher;

pub use and_settle::AndSettle;
pub use draft::Publish;
pub(crate) use draft::{Draft, Importance};
pub(crate) use pressure::Pressure;
pub use publisher::Publisher;
pub(crate) use publisher::here;
#[cfg(feature = "cli")]
pub(crate) use publisher::set_process_wide;
