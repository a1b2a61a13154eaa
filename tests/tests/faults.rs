//! What brokers, networks and other programs do to a worker, and that it comes back from all of it.
//!
//! Each test closes the books (`balance:` on stderr): what was published is handled, dead or queued, each queue has our consumer
//! again, and a message that is published afterwards is handled.

#![cfg(unix)]
#![allow(
    clippy::disallowed_methods,
    clippy::match_same_arms,
    clippy::panic_in_result_fn,
    clippy::unwrap_used,
    reason = "these handlers do what users do, and clippy does not see that they are in tests"
)]

#[path = "faults/breaker.rs"]
mod breaker;
#[path = "faults/broker.rs"]
mod broker;
#[path = "faults/cluster.rs"]
mod cluster;
#[path = "faults/hostile.rs"]
mod hostile;
#[path = "faults/leaks.rs"]
mod leaks;
#[path = "faults/load.rs"]
mod load;
#[path = "faults/network.rs"]
mod network;
#[path = "faults/nodes.rs"]
mod nodes;
#[path = "faults/objects.rs"]
mod objects;
#[path = "faults/publishing.rs"]
mod publishing;
#[path = "faults/refusals.rs"]
mod refusals;
#[path = "faults/rig.rs"]
mod rig;
#[path = "faults/soak.rs"]
mod soak;
#[path = "faults/standby.rs"]
mod standby;
