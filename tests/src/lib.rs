//! What several tests share.

pub mod arena;
