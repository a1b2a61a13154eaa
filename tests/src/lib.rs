//! What several tests share.

pub mod arena;
pub mod code;
#[cfg(unix)]
pub mod node;
pub mod quoted;
