//! What several tests share.

pub mod arena;
pub mod node;
