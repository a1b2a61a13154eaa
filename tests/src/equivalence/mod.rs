//! Random programs of broker operations, run on the embedded broker and on RabbitMQ: both must show the same.
//!
//! RabbitMQ is the measure. What it does not promise, a program avoids or a comparison overlooks; [`TOLERATED`] lists all of it.

mod actor;
mod compare;
mod generate;
mod program;
mod seen;

pub use self::compare::{Brokers, Compared, Difference, Effort, compare};
pub use self::generate::program;
pub use self::program::Program;

/// What programs avoid or the comparison overlooks, and why.
pub const TOLERATED: [(&str, &str); 14] = [
    (
        "when a settlement takes effect",
        "AMQP has no answer to it. After each step RabbitMQ has three seconds to reach the state that the embedded broker has at \
         once, and a program that differs runs again with a pause after each settlement",
    ),
    (
        "when a message expires",
        "times to live are over at once, in a moment or never. A run that takes so long that a moment ends early is repeated \
         with longer ones",
    ),
    (
        "the order in which two queues reach a third",
        "they are processes of their own. An exchange reaches at most one queue of each half, and messages die within a half",
    ),
    (
        "the header `x-delivery-count`",
        "RabbitMQ writes it into each delivery of a quorum queue, the embedded broker would have to copy the headers for that. \
         Both say it in `Incoming::delivery_count`, and the header must say the same",
    ),
    (
        "whether the first delivery says that it is the first",
        "RabbitMQ says 0 to who gets a message from a quorum queue and nothing to who consumes it: both count as 0",
    ),
    (
        "how many consumers a quorum queue has",
        "RabbitMQ counts who has taken a message with `get` and not settled it yet: only those of classic queues are compared",
    ),
    (
        "whether a queue of the other type differs in arguments that it does not know",
        "AMQP says only what the broker compares",
    ),
    (
        "whether a queue is idle whose messages are out",
        "RabbitMQ deletes it, the embedded broker does not: no program asks for it",
    ),
    ("the time in `x-death`", "one clock is real, the other one is not"),
    (
        "how many messages a full quorum queue with `reject-publish` takes",
        "RabbitMQ tells its clients late; the embedded broker holds exactly the maximum",
    ),
    (
        "when a stuck dead letter of at-least-once is sent again",
        "RabbitMQ tries every three minutes; no program uses it",
    ),
    (
        "what settling a message of a deleted queue returns",
        "RabbitMQ says nothing, the embedded broker says that it is gone",
    ),
    (
        "who follows a cancelled single active consumer in a classic queue",
        "RabbitMQ 3.10.8 wakes it with the next event of the queue only: such a consumer is closed, not cancelled",
    ),
    (
        "`redelivered` and the count of deliveries after a walk through a queue",
        "AMQP cannot look at a message without delivering it: no program walks",
    ),
];
