//! Publishing: the handle, and the message on its way out.

mod draft;
mod publisher;

pub(crate) use draft::Draft;
pub use draft::Publish;
pub use publisher::Publisher;
pub(crate) use publisher::{here, set_process_wide};
