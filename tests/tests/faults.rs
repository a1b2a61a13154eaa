//! What brokers, networks and other programs do to a worker, and that it comes back from all of it.

#![cfg(unix)]

#[path = "faults/hostile.rs"]
mod hostile;
