//! What the benchmarks share.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

pub(crate) mod measure;
pub(crate) mod pages;
