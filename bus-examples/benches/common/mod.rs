//! What the benchmarks share.

#![allow(dead_code, reason = "each benchmark uses a part of it")]
#![allow(clippy::disallowed_methods, reason = "what runs beside the bus is no part of it")]

pub(crate) mod measure;
pub(crate) mod pages;
