//! What several tests share.

#[cfg(unix)]
pub mod node;
