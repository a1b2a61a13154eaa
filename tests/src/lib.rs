//! What several tests share.

pub mod arena;
pub mod code;
pub mod conformance;
#[cfg(unix)]
pub mod node;
pub mod quoted;
