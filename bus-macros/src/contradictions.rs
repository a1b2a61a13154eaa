//! Options that are each fine for themselves and do not go together.

use proc_macro2::Ident;
use syn::{GenericArgument, PathArguments, Type};

use crate::duration::show;
use crate::errors::{Errors, options as texts};
use crate::handler::Attribute;
use crate::options::{AckMode, OnError, Options, QueueType};
use crate::retry::Retry;
use crate::signature::HandlerSignature;
use crate::slots::{Given, Slot};

/// Reports every contradiction, at the option that makes it.
pub(crate) fn check(options: &Options, errors: &Errors) {
    check_failures(options, errors);
    check_queue(options, errors);
    check_fanout(options, errors);
    check_others(options, errors);
    check_formerly(options, errors);
    if let Some(retry) = &options.retry {
        check_retry(&retry.value, errors);
    }
    if let (Some(order), Some(concurrency)) = (&options.ordered_by, &options.concurrency)
        && concurrency.value == 1
    {
        errors.add(&order.keyword, texts::ordered_alone());
    }
    if let (Some(prefetch), Some(concurrency)) = (&options.prefetch, &options.concurrency)
        && prefetch.value < concurrency.value
    {
        errors.add(&prefetch.keyword, texts::prefetch_below(&prefetch.value, &concurrency.value));
    }
}

/// What happens to a message whose handler fails.
fn check_failures(options: &Options, errors: &Errors) {
    let Options { ack, retry, on_error, .. } = options;
    let retries = retry.as_ref().filter(|retry| !retry.value.is_off());
    if let Some(ack) = ack.as_ref().filter(|ack| ack.value == AckMode::OnReceive) {
        let shown = if ack.keyword == "auto_ack" { "auto_ack = true" } else { "ack = \"on_receive\"" };
        let judges = on_error.as_ref().filter(|on_error| on_error.value != OnError::Discard);
        let refused = [retries.map(|retry| &retry.keyword), judges.map(|on_error| &on_error.keyword)];
        for keyword in refused.into_iter().flatten() {
            errors.add(keyword, texts::on_receive(shown, keyword));
        }
    }
    if let (Some(retry), Some(on_error)) = (retry, on_error)
        && retry.value.is_off()
        && on_error.value == OnError::Retry
    {
        errors.add(&on_error.keyword, texts::retry_without_retries());
    }
}

/// A handler that has to acknowledge its messages, and neither can nor says what becomes of them. Only an audit or react handler
/// that returns `Ok(())` is sure to say nothing; with a command, that is the reply.
pub(crate) fn check_manual(
    options: &Options,
    attribute: Attribute,
    signature: &HandlerSignature,
    errors: &Errors,
) {
    let Some(ack) = options.ack.as_ref().filter(|ack| ack.value == AckMode::Manual) else { return };
    let says = match &signature.output {
        None => false,
        Some(output) if is_unit(output) => false,
        Some(output) => attribute == Attribute::MessageHandler || !is_result_of_unit(output),
    };
    let can = signature.arguments.iter().any(|argument| is_named(&argument.ty, "Settle"));
    if !says && !can {
        let shown = if ack.keyword == "auto_ack" { "auto_ack = false" } else { "ack = \"manual\"" };
        errors.add(&ack.keyword, texts::manual(shown, &signature.name));
    }
}

fn is_unit(ty: &Type) -> bool {
    matches!(ty, Type::Tuple(tuple) if tuple.elems.is_empty())
}

/// `Result<(), ..>`, under whatever path.
fn is_result_of_unit(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    let Some(last) = path.path.segments.last().filter(|last| last.ident == "Result") else { return false };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return false };
    matches!(arguments.args.first(), Some(GenericArgument::Type(ty)) if is_unit(ty))
}

fn is_named(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == name))
}

/// What a queue cannot be at once.
fn check_queue(options: &Options, errors: &Errors) {
    let Options { queue_type, max_priority, exclusive, single_active, fanout, max_length, overflow, .. } =
        options;
    if queue_type.as_ref().is_some_and(|queue_type| queue_type.value == QueueType::Quorum) {
        let refused = [keyword(max_priority), when(exclusive, true), keyword(fanout)];
        for keyword in refused.into_iter().flatten() {
            errors.add(keyword, texts::needs_classic(keyword));
        }
    }
    if let (Some(_), Some(keyword)) = (when(exclusive, true), when(single_active, true)) {
        errors.add(keyword, texts::exclusive_single());
    }
    if let (None, Some(overflow)) = (max_length, overflow) {
        errors.add(&overflow.keyword, texts::overflow_without_length());
    }
}

/// What cannot be said of a queue that each worker has for itself.
fn check_fanout(options: &Options, errors: &Errors) {
    let Options { fanout: Some(_), queue, single_active, exclusive, .. } = options else { return };
    if let Some(keyword) = keyword(queue) {
        errors.add(keyword, texts::fanout_queue());
    }
    if let Some(keyword) = when(single_active, true) {
        errors.add(keyword, texts::fanout_single());
    }
    if let Some(keyword) = when(exclusive, false) {
        errors.add(keyword, texts::fanout_shared());
    }
}

/// What cannot be said of what others own.
fn check_others(options: &Options, errors: &Errors) {
    let Options { exchange, exchange_kind, declare, queue, .. } = options;
    if let (Some(keyword), None) = (keyword(exchange_kind), exchange) {
        errors.add(keyword, texts::kind_without_exchange());
    }
    if let (Some(keyword), None, None) = (keyword(declare), exchange, queue) {
        errors.add(keyword, texts::declare_nothing());
    }
    if !options.has_foreign_queue() {
        return;
    }
    let Options { queue_type, max_length, overflow, ttl, max_priority, single_active, exclusive, .. } =
        options;
    let refused = [
        keyword(queue_type),
        keyword(max_length),
        keyword(overflow),
        keyword(ttl),
        keyword(max_priority),
        keyword(single_active),
        keyword(exclusive),
    ];
    for keyword in refused.into_iter().flatten() {
        errors.add(keyword, texts::foreign_queue(keyword));
    }
}

/// What has no queue that could have had another name.
fn check_formerly(options: &Options, errors: &Errors) {
    let Some(keyword) = keyword(&options.formerly) else { return };
    if options.has_foreign_queue() {
        errors.add(keyword, texts::formerly_foreign());
    } else if options.fanout.is_some() || when(&options.exclusive, true).is_some() {
        errors.add(keyword, texts::formerly_passing());
    }
}

/// The settings of `retry(..)` among themselves.
fn check_retry(retry: &Retry, errors: &Errors) {
    let Retry { max: _, initial, factor, max_delay, jitter, give_up_after, none } = retry;
    if retry.is_off() && !none {
        let delays =
            [keyword(initial), keyword(factor), keyword(max_delay), keyword(jitter), keyword(give_up_after)];
        if let Some(keyword) = delays.into_iter().flatten().next() {
            errors.add(keyword, texts::retries_of_nothing());
        }
    }
    let Some(initial) = initial else { return };
    if let Some(max_delay) = max_delay.as_ref().filter(|max_delay| max_delay.value < initial.value) {
        let text = texts::max_delay_below(&show(max_delay.value), &show(initial.value));
        errors.add(&max_delay.keyword, text);
    }
    if let Some(end) = give_up_after.as_ref().filter(|end| end.value < initial.value) {
        errors.add(&end.keyword, texts::give_up_below(&show(end.value), &show(initial.value)));
    }
}

impl Retry {
    /// Whether there are no retries at all.
    fn is_off(&self) -> bool {
        self.max.as_ref().is_some_and(|max| max.value == 0)
    }
}

fn keyword<T>(slot: &Slot<T>) -> Option<&Ident> {
    slot.as_ref().map(|given| &given.keyword)
}

fn when(slot: &Slot<bool>, value: bool) -> Option<&Ident> {
    slot.as_ref().filter(|given: &&Given<bool>| given.value == value).map(|given| &given.keyword)
}
