//! What several tests share.

pub mod code;
pub mod quoted;
