//! The options of a handler as the fields of `HandlerOptions`.

use std::fmt::Debug;
use std::time::Duration;

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, format_ident, quote};

use crate::batch::Batch;
use crate::breaker::{Breaker, Rate};
use crate::options::Options;
use crate::retry::Retry;
use crate::slots::Slot;

/// `.with_options(__bus::HandlerOptions { .. })`, or nothing.
pub(super) fn expand(options: &Options) -> TokenStream {
    let Options {
        timeout,
        retry,
        on_error,
        error_hook,
        ack,
        concurrency,
        prefetch,
        queue,
        name,
        group,
        priority,
        when,
        ordered_by,
        batch,
        breaker,
        rate_limit,
        queue_type,
        max_length,
        overflow,
        ttl,
        max_priority,
        single_active,
        exclusive,
        fanout,
        exchange,
        exchange_kind,
        declare,
        formerly,
    } = options;
    let fields: Vec<_> = [
        field("timeout", timeout, timeout_value),
        field("retry", retry, retry_value),
        field("on_error", on_error, |value| variant("OnError", value)),
        field("error_hook", error_hook, ToTokens::to_token_stream),
        field("ack", ack, |value| variant("AckMode", value)),
        field("concurrency", concurrency, |value| number(*value)),
        field("prefetch", prefetch, |value| number(*value)),
        field("queue", queue, ToTokens::to_token_stream),
        field("name", name, ToTokens::to_token_stream),
        field("group", group, ToTokens::to_token_stream),
        field("priority", priority, |value| number(*value)),
        field("when", when, ToTokens::to_token_stream),
        field("ordered_by", ordered_by, ToTokens::to_token_stream),
        field("batch", batch, batch_value),
        field("breaker", breaker, breaker_value),
        field("rate_limit", rate_limit, rate_value),
        field("queue_type", queue_type, |value| variant("QueueType", value)),
        field("max_length", max_length, |value| number(i128::from(*value))),
        field("overflow", overflow, |value| variant("WhenFull", value)),
        field("ttl", ttl, |value| duration(*value)),
        field("max_priority", max_priority, |value| number(*value)),
        field("single_active", single_active, ToTokens::to_token_stream),
        field("exclusive", exclusive, ToTokens::to_token_stream),
        fanout.as_ref().map(|_| quote!(fanout_each: true)),
        field("exchange", exchange, ToTokens::to_token_stream),
        field("exchange_kind", exchange_kind, |value| variant("ExchangeKind", value)),
        declare.as_ref().map(|_| quote!(declare_never: true)),
        field("formerly", formerly, ToTokens::to_token_stream),
    ]
    .into_iter()
    .flatten()
    .collect();
    if fields.is_empty() {
        return TokenStream::new();
    }
    quote!(.with_options(__bus::HandlerOptions { #(#fields,)* ..__bus::NO_OPTIONS }))
}

fn retry_value(retry: &Retry) -> TokenStream {
    let Retry { max, initial, factor, max_delay, jitter, give_up_after, none: _ } = retry;
    let fields: Vec<_> = [
        field("max", max, |value| number(*value)),
        field("initial", initial, |value| duration(*value)),
        field("factor", factor, |value| Literal::f64_unsuffixed(*value).into_token_stream()),
        field("max_delay", max_delay, |value| duration(*value)),
        field("jitter", jitter, |value| Literal::f64_unsuffixed(*value).into_token_stream()),
        field("give_up_after", give_up_after, |value| duration(*value)),
    ]
    .into_iter()
    .flatten()
    .collect();
    // With all fields set there would be nothing left to take from the rest, which clippy points out.
    let rest = (fields.len() < 6).then(|| quote!(..__bus::NO_RETRY_OPTIONS));
    quote!(__bus::RetryOptions { #(#fields,)* #rest })
}

fn batch_value(batch: &Batch) -> TokenStream {
    let Batch { size, wait } = batch;
    let size = number(*size);
    let wait = match wait {
        Some(wait) => {
            let wait = duration(wait.value);
            quote!(__bus::Some(#wait))
        }
        None => quote!(__bus::None),
    };
    quote!(__bus::BatchOptions { size: #size, wait: #wait })
}

fn breaker_value(breaker: &Breaker) -> TokenStream {
    let Breaker { failures, window, pause, successes } = breaker;
    let fields: Vec<_> = [
        plain_field("failures", failures, |value| number(*value)),
        plain_field("window", window, |value| duration(*value)),
        plain_field("pause", pause, |value| duration(*value)),
        plain_field("successes", successes, |value| number(*value)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let rest = (fields.len() < 4).then(|| quote!(..__bus::BreakerPolicy::DEFAULT));
    quote!(__bus::BreakerPolicy { #(#fields,)* #rest })
}

fn rate_value(Rate { count, per }: &Rate) -> TokenStream {
    let (count, per) = (number(*count), duration(*per));
    quote!(__bus::RateLimit { count: #count, per: #per })
}

/// `name: value`
fn plain_field<T>(name: &str, slot: &Slot<T>, value: impl FnOnce(&T) -> TokenStream) -> Option<TokenStream> {
    let name = format_ident!("{name}");
    slot.as_ref().map(|given| {
        let value = value(&given.value);
        quote!(#name: #value)
    })
}

/// `name: __bus::Some(value)`
fn field<T>(name: &str, slot: &Slot<T>, value: impl FnOnce(&T) -> TokenStream) -> Option<TokenStream> {
    let name = format_ident!("{name}");
    slot.as_ref().map(|given| {
        let value = value(&given.value);
        quote!(#name: __bus::Some(#value))
    })
}

fn timeout_value(timeout: &Option<Duration>) -> TokenStream {
    match timeout {
        Some(after) => {
            let after = duration(*after);
            quote!(__bus::Timeout::After(#after))
        }
        None => quote!(__bus::Timeout::Never),
    }
}

pub(super) fn duration(duration: Duration) -> TokenStream {
    let (unit, count) = match duration.subsec_millis() {
        0 => ("from_secs", u128::from(duration.as_secs())),
        _ => ("from_millis", duration.as_millis()),
    };
    let (unit, count) = (format_ident!("{unit}"), Literal::u128_unsuffixed(count));
    quote!(__bus::Duration::#unit(#count))
}

fn number(number: impl Into<i128>) -> TokenStream {
    Literal::i128_unsuffixed(number.into()).into_token_stream()
}

/// The variants of our enums bear the names of the runtime's.
fn variant(enumeration: &str, value: &impl Debug) -> TokenStream {
    let (enumeration, variant) = (format_ident!("{enumeration}"), format_ident!("{value:?}"));
    quote!(__bus::#enumeration::#variant)
}
