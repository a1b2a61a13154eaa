//! What handlers may not say together, each error with both places.

use super::handler::HandlerEntry;
use crate::error::{Error, ErrorKind};
use crate::registration::HandlerRegistration;

pub(super) fn two_of_one_name(known: &HandlerEntry, registration: &HandlerRegistration) -> Error {
    Error::new(ErrorKind::DuplicateQueue, format!("two functions are called `{}`", known.name))
        .with_place(known.place, "the first")
        .with_place(registration.place, "the second")
        .with_help("rename one of them: the queue is named after the function")
}

pub(super) fn contradicting_attributes(known: &HandlerEntry, registration: &HandlerRegistration) -> Error {
    let message = format!("the attributes of `{}` contradict each other", known.name);
    Error::new(ErrorKind::Registration, message)
        .with_place(known.place, "the first attribute")
        .with_place(registration.place, "sets one of its options to another value")
        .with_help("they share one queue: write each option once, or the same value twice")
}

pub(super) fn same_queue(first: &HandlerEntry, second: &HandlerEntry) -> Error {
    Error::new(ErrorKind::DuplicateQueue, format!("two handlers would consume the queue `{}`", first.queue))
        .with_place(first.place, first.name.clone())
        .with_place(second.place, second.name.clone())
        .with_help(
            "to share a queue on purpose, say queue = \"..\" on both; else give one of them another queue",
        )
}

pub(super) fn different_settings(first: &HandlerEntry, second: &HandlerEntry) -> Error {
    Error::new(
        ErrorKind::DuplicateQueue,
        format!("queue `{}` is declared twice with different settings", first.queue),
    )
    .with_place(first.place, first.name.clone())
    .with_place(second.place, second.name.clone())
    .with_help("handlers of one queue share its arguments, its `ack`, `ordered_by` and `batch`: write the same on each of them")
}

pub(super) fn bad_order(text: &str, problem: &str, entry: &HandlerEntry) -> Error {
    let message = format!("ordered_by = \"{text}\" of `{}` can't be: {problem}", entry.name);
    Error::new(ErrorKind::Registration, message).with_place(entry.place, "this handler").with_help(
        "write a field of the body, `customer.id`, a header, `header:tenant`, or a captured word, `{page}`",
    )
}

pub(super) fn batch_by_hand(entry: &HandlerEntry) -> Error {
    let message =
        format!("`{}` has the option `batch` and takes one message, or the other way round", entry.name);
    Error::new(ErrorKind::Registration, message)
        .with_place(entry.place, "this handler")
        .with_help("register it with `HandlerRegistration::react_in_batches` and `HandlerOptions::batch`, or with neither")
}

pub(super) fn reserved_queue(entry: &HandlerEntry) -> Error {
    Error::new(ErrorKind::Registration, format!("queue `{}` has a reserved name", entry.queue))
        .with_place(entry.place, entry.name.clone())
        .with_help("names that begin with `amq.` belong to the broker, those with `bus.` to Bus")
}
