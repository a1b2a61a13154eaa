//! The fleet: workers that share a broker, announce themselves on the exchange `bus.control`, and answer who asks them there.
//!
//! Each worker has a queue of its own, which goes with its connection. A request goes to all of them through the exchange; the
//! answers come to the queue of whoever asks. Workers know of each other, so an answer also says who else is to be heard, and
//! whoever asks knows when all have answered. On the embedded broker there is just this process, and nothing is declared.

mod answers;
mod asking;
mod control;
mod member;
mod station;
mod words;

pub(crate) use self::control::{Control, Reach};
pub(crate) use self::member::join;
#[cfg(feature = "top")]
pub(crate) use self::words::Failure;
#[cfg(all(feature = "cli", test))]
pub(crate) use self::words::HandlerCount;
#[cfg(any(feature = "dashboard", feature = "top"))]
pub(crate) use self::words::State;
#[cfg(feature = "dashboard")]
pub(crate) use self::{
    answers::{act, answer},
    words::Hand,
};
#[cfg(feature = "cli")]
pub(crate) use self::{
    asking::{Heard, Whom},
    station::Station,
    words::{Answer, Ask, Peer, QueueCount, Reply, Report, Snapshot},
};
