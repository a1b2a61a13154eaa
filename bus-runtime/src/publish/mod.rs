//! Publishing: the handle, and the message on its way out.

mod draft;
mod publisher;

pub(crate) use draft::Draft;
pub use draft::Publish;
pub use publisher::Publisher;
pub(crate) use publisher::here;
#[cfg(feature = "cli")]
pub(crate) use publisher::set_process_wide;
