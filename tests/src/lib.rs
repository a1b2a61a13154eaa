//! What several tests share.

pub mod arena;
#[cfg(unix)]
pub mod node;
