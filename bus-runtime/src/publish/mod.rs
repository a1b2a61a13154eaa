//! Publishing: the handle, and the message on its way out.

mod draft;
mod pressure;
mod publisher;

pub(crate) use draft::Draft;
pub use draft::Publish;
pub(crate) use pressure::Pressure;
pub use publisher::Publisher;
pub(crate) use publisher::here;
#[cfg(feature = "cli")]
pub(crate) use publisher::set_process_wide;
