//! What several tests share.

pub mod arena;
pub mod conformance;
#[cfg(unix)]
pub mod node;
