//! From what stands behind an option's `=` to a value of its type.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use quote::ToTokens;
use syn::{Expr, ExprPath, ExprUnary, Lit, LitStr, UnOp};

use crate::args::{OptionArg, Value};
use crate::errors::options as texts;
use crate::{duration, suggest};

/// The longest time that RabbitMQ takes for a queue's `x-message-ttl`, in milliseconds: 49 days.
const QUEUE_TIME_MAX: Duration = Duration::from_millis(u32::MAX as u64);
/// The longest queue, handler or group name, in bytes: AMQP's 255, less what Bus appends to it.
const NAME_BYTES_MAX: usize = 200;

const SECONDS: &str = "whole seconds or a duration string such as \"500ms\"";

/// A time of at least one millisecond: `30`, `"500ms"`.
pub(crate) fn duration(option: &OptionArg) -> syn::Result<Duration> {
    match span_of_time(option)? {
        Duration::ZERO => Err(problem(option, texts::zero_duration(&option.name()))),
        duration => Ok(duration),
    }
}

/// A time that a message waits in a queue.
pub(crate) fn queue_time(option: &OptionArg) -> syn::Result<Duration> {
    match duration(option)? {
        long if long > QUEUE_TIME_MAX => Err(problem(option, texts::too_long(&option.name(), "49 days"))),
        duration => Ok(duration),
    }
}

/// The handler's timeout, or none for `"none"`.
pub(crate) fn timeout(option: &OptionArg) -> syn::Result<Option<Duration>> {
    if is_none(option) {
        return Ok(None);
    }
    match span_of_time(option)? {
        Duration::ZERO => Err(problem(option, texts::zero_timeout())),
        duration => Ok(Some(duration)),
    }
}

/// Whether the value is `"none"`.
pub(crate) fn is_none(option: &OptionArg) -> bool {
    matches!(&option.value, Value::Is(value) if matches!(literal(value), Some(Lit::Str(text)) if text.value() == "none"))
}

fn span_of_time(option: &OptionArg) -> syn::Result<Duration> {
    let name = option.name();
    let example = format!("{name} = 30   or   {name} = \"500ms\"");
    let value = single(option, &example)?;
    let text = match literal(value) {
        Some(Lit::Int(seconds)) if seconds.suffix().is_empty() => match seconds.base10_parse() {
            Ok(seconds) => return Ok(Duration::from_secs(seconds)),
            Err(_) => texts::out_of_range(&name, seconds, SECONDS),
        },
        Some(Lit::Int(seconds)) => texts::duration_unquoted(seconds, &name),
        Some(Lit::Float(seconds)) => {
            let seconds: f64 = seconds.base10_parse().unwrap_or_default();
            texts::fractional(&name, &(seconds * 1000.0).round())
        }
        Some(Lit::Str(text)) => match duration::parse(&text.value()) {
            Some(duration) => return Ok(duration),
            None => texts::not_duration(&text.value(), &name),
        },
        _ if is_negative(value) => texts::negative(&name),
        _ => not_this(option, value, SECONDS, &example),
    };
    Err(problem(option, text))
}

/// A whole number in a range.
pub(crate) fn number<T>(option: &OptionArg, range: RangeInclusive<T>) -> syn::Result<T>
where
    T: FromStr + PartialOrd + std::fmt::Display + Copy,
{
    let name = option.name();
    let wants = format!("a whole number from {} to {}", range.start(), range.end());
    let example = format!("{name} = {}", range.start());
    let value = single(option, &example)?;
    let digits = match (value, literal(value)) {
        (_, Some(Lit::Int(number))) if number.suffix().is_empty() => number.base10_digits().to_owned(),
        (Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }), _) => match literal(expr) {
            Some(Lit::Int(number)) if number.suffix().is_empty() => format!("-{}", number.base10_digits()),
            _ => return Err(problem(option, texts::wants(&name, &wants))),
        },
        _ => return Err(problem(option, not_this(option, value, &wants, &example))),
    };
    match digits.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(problem(option, texts::out_of_range(&name, &digits, &wants))),
    }
}

/// A number with or without a fraction, in a range.
pub(crate) fn fraction(option: &OptionArg, range: RangeInclusive<f64>) -> syn::Result<f64> {
    let name = option.name();
    let wants = format!("a number from {:?} to {:?}", range.start(), range.end());
    let example = format!("{name} = {:?}", range.start());
    let value = single(option, &example)?;
    let digits = match literal(value) {
        Some(Lit::Float(number)) if number.suffix().is_empty() => number.base10_digits().to_owned(),
        Some(Lit::Int(number)) if number.suffix().is_empty() => number.base10_digits().to_owned(),
        _ if is_negative(value) => return Err(problem(option, texts::negative(&name))),
        _ => return Err(problem(option, not_this(option, value, &wants, &example))),
    };
    match digits.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(problem(option, texts::out_of_range(&name, &digits, &wants))),
    }
}

/// A part of the whole: `0.25` or `"25%"`.
pub(crate) fn part(option: &OptionArg) -> syn::Result<f64> {
    let Value::Is(value) = &option.value else { return fraction(option, 0.0..=1.0) };
    let Some(Lit::Str(text)) = literal(value) else { return fraction(option, 0.0..=1.0) };
    let percent = text.value().strip_suffix('%').and_then(|percent| percent.parse::<u8>().ok());
    match percent {
        Some(percent @ 0..=100) => Ok(f64::from(percent) / 100.0),
        _ => Err(problem(
            option,
            texts::wants(&option.name(), "a part such as 0.25 or \"25%\", at most 1.0 or \"100%\""),
        )),
    }
}

/// `true` or `false`.
pub(crate) fn flag(option: &OptionArg) -> syn::Result<bool> {
    let name = option.name();
    let example = format!("{name} = true");
    let value = single(option, &example)?;
    match literal(value) {
        Some(Lit::Bool(flag)) => Ok(flag.value),
        _ => Err(problem(option, not_this(option, value, "true or false", &example))),
    }
}

/// One of some words.
pub(crate) fn word<T: Copy>(option: &OptionArg, words: &[(&str, T)]) -> syn::Result<T> {
    let name = option.name();
    let names = words.iter().map(|(word, _)| *word);
    let shown = names.clone().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
    let found = text(option, &format!("{name} = \"{}\"", words[0].0), &format!("one of {shown}"))?.value();
    if let Some((_, value)) =
        words.iter().find(|(word, _)| *word == found.replace('_', "-") || *word == found)
    {
        return Ok(*value);
    }
    let text = match suggest::nearest(&found, names) {
        Some(near) => texts::not_one_of_like(&name, &found, near, &shown),
        None => texts::not_one_of(&name, &found, &shown),
    };
    Err(problem(option, text))
}

/// The name of a queue, a handler or a group.
pub(crate) fn name(option: &OptionArg) -> syn::Result<LitStr> {
    let name = option.name();
    let text = text(option, &format!("{name} = \"billing\""), "text")?;
    let value = text.value();
    if value.is_empty() {
        return Err(problem(option, texts::empty_text(&name)));
    }
    if value.len() > NAME_BYTES_MAX {
        return Err(problem(option, texts::long_text(&name, &value.len())));
    }
    match value.chars().find(|character| character.is_control()) {
        Some(control) => Err(problem(option, texts::control_text(&name, &format!("{control:?}")))),
        None => Ok(text),
    }
}

/// The name of a queue of ours.
pub(crate) fn queue_name(option: &OptionArg) -> syn::Result<LitStr> {
    let queue = name(option)?;
    if queue.value().starts_with("amq.") {
        return Err(problem(option, texts::reserved_queue(&queue.value())));
    }
    Ok(queue)
}

/// The path of a function that there is no more, in quotes, with its crate.
pub(crate) fn path_in_quotes(option: &OptionArg) -> syn::Result<LitStr> {
    let example = format!("{} = \"my_crate::wiki::on_page\"", option.name());
    let text = text(option, &example, "a path in quotes")?;
    let value = text.value();
    let is_word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().is_some_and(|letter| letter.is_alphabetic() || letter == '_');
        first && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
    };
    match value.split("::").count() > 1 && value.split("::").all(is_word) {
        true => Ok(text),
        false => Err(problem(option, texts::not_a_path(&option.name(), &value, &example))),
    }
}

/// What messages are ordered by: `"customer.id"`, `"header:tenant"`, `"{page}"`.
pub(crate) fn order(option: &OptionArg) -> syn::Result<LitStr> {
    let order = text(option, "ordered_by = \"customer.id\"", texts::ORDER)?;
    let value = order.value();
    let name = value.strip_prefix("header:").map(|name| vec![name]);
    let name = name.or_else(|| Some(vec![captured(&value)?]));
    let names = name.unwrap_or_else(|| value.split('.').collect());
    if names.contains(&"") || value.contains(char::is_control) {
        return Err(problem(option, texts::not_an_order(&value)));
    }
    Ok(order)
}

/// The word that is meant by `{page}`.
pub(crate) fn captured(order: &str) -> Option<&str> {
    order.strip_prefix('{')?.strip_suffix('}')
}

/// The path of a function with this signature, or a closure.
pub(crate) fn function_or_closure(option: &OptionArg, signature: &str) -> syn::Result<Expr> {
    match single(option, &format!("{} = my_function", option.name()))? {
        closure @ Expr::Closure(_) => Ok(closure.clone()),
        _ => function(option, signature).map(Expr::Path),
    }
}

/// The path of a function with this signature.
pub(crate) fn function(option: &OptionArg, signature: &str) -> syn::Result<ExprPath> {
    let name = option.name();
    match single(option, &format!("{name} = my_function"))? {
        Expr::Path(path) => Ok(path.clone()),
        _ => Err(problem(option, texts::path(&name, signature))),
    }
}

/// The one value of an option.
pub(crate) fn single<'a>(option: &'a OptionArg, example: &str) -> syn::Result<&'a Expr> {
    match &option.value {
        Value::Is(value) => Ok(strip_group(value)),
        Value::None => Err(problem(option, texts::no_value(&option.name(), example))),
        Value::IsType(_) | Value::List(..) => Err(problem(option, texts::list(&option.name(), example))),
    }
}

/// An error at the option's value or, where it has none, at its name.
pub(crate) fn problem(option: &OptionArg, text: String) -> syn::Error {
    match &option.value {
        Value::None => syn::Error::new_spanned(&option.keyword, text),
        Value::Is(value) => syn::Error::new_spanned(value, text),
        Value::IsType(value) => syn::Error::new_spanned(value, text),
        Value::List(_, list) => syn::Error::new_spanned(list, text),
    }
}

pub(crate) fn text(option: &OptionArg, example: &str, wants: &str) -> syn::Result<LitStr> {
    let value = single(option, example)?;
    match literal(value) {
        Some(Lit::Str(text)) => Ok(text.clone()),
        _ => Err(problem(option, not_this(option, value, wants, example))),
    }
}

/// The text for a value of the wrong type, or for one that is not written out.
fn not_this(option: &OptionArg, value: &Expr, wants: &str, example: &str) -> String {
    let name = option.name();
    match value {
        Expr::Path(word) if is_bare_word(word) && example.starts_with(&format!("{name} = \"")) => {
            texts::wants_help(&name, wants, &format!("{name} = \"{}\"", word.to_token_stream()))
        }
        Expr::Lit(_) => texts::wants_help(&name, wants, example),
        _ => texts::not_literal(&name, wants),
    }
}

/// A word that only lacks its quotes; a constant is in upper case.
fn is_bare_word(path: &ExprPath) -> bool {
    path.path.get_ident().is_some_and(|word| word.to_string().chars().any(char::is_lowercase))
}

fn literal(value: &Expr) -> Option<&Lit> {
    match strip_group(value) {
        Expr::Lit(literal) => Some(&literal.lit),
        _ => None,
    }
}

fn is_negative(value: &Expr) -> bool {
    matches!(value, Expr::Unary(ExprUnary { op: UnOp::Neg(_), .. }))
}

/// A value that comes out of a `macro_rules!` stands in an invisible group.
fn strip_group(value: &Expr) -> &Expr {
    match value {
        Expr::Group(group) => strip_group(&group.expr),
        value => value,
    }
}
