//! What several tests share.

#![allow(clippy::missing_panics_doc, reason = "a test that does not find what it expects panics")]

pub mod arena;
pub mod balance;
#[cfg(unix)]
pub mod browser;
pub mod certificates;
pub mod code;
pub mod collector;
pub mod equivalence;
pub mod exposition;
pub mod http;
pub mod mutator;
#[cfg(unix)]
pub mod node;
pub mod proxy;
pub mod quoted;
pub mod raw_client;
pub mod rows;
