//! The options `breaker` and `rate_limit`: when a handler rests, and how fast it works.

use std::time::Duration;

use crate::args::{OptionArg, Value};
use crate::errors::{Errors, options as texts};
use crate::slots::{Names, Once, Slot};
use crate::values;

/// The names of all settings of `breaker`.
const NAMES: Names = Names {
    listed: &["failures", "window", "pause", "successes"],
    aliases: &[],
    foreign: |name| match name {
        "threshold" | "failure_threshold" | "max_failures" => Some("here that is failures = .."),
        "timeout" | "reset_timeout" | "recovery_timeout" | "cooldown" => Some("here that is pause = \"30s\""),
        "success_threshold" => Some("here that is successes = .."),
        _ => None,
    },
};

/// More failures are not kept in mind.
const COUNT_MAX: u32 = 10_000;

/// The settings of `breaker(..)`.
#[derive(Default)]
pub(crate) struct Breaker {
    pub(crate) failures: Slot<u32>,
    pub(crate) window: Slot<Duration>,
    pub(crate) pause: Slot<Duration>,
    pub(crate) successes: Slot<u32>,
}

impl Breaker {
    /// Reads `breaker(failures = 5, window = "1m", pause = "30s", successes = 1)`.
    pub(crate) fn read(option: &OptionArg) -> syn::Result<Self> {
        const EXAMPLE: &str = "breaker(failures = 5, window = \"1m\", pause = \"30s\")";
        let errors = Errors::new();
        let mut breaker = Self::default();
        match &option.value {
            Value::List(inside, _) if inside.is_empty() => {
                errors.push(values::problem(option, texts::empty_list("breaker", EXAMPLE)));
            }
            Value::List(inside, _) => {
                let settings = OptionArg::parse_list(inside.clone(), &errors);
                settings.iter().for_each(|setting| breaker.set(setting, &errors));
            }
            _ => errors.push(values::problem(option, texts::no_list("breaker", EXAMPLE))),
        }
        errors.check().map(|()| breaker)
    }

    fn set(&mut self, setting: &OptionArg, errors: &Errors) {
        let once = Once { option: setting, place: "breaker(..)", errors };
        match setting.name().as_str() {
            "failures" => once.set(&mut self.failures, |setting| values::number(setting, 1..=COUNT_MAX)),
            "window" => once.set(&mut self.window, values::duration),
            "pause" => once.set(&mut self.pause, values::duration),
            "successes" => once.set(&mut self.successes, |setting| values::number(setting, 1..=COUNT_MAX)),
            _ => once.unknown(&NAMES),
        }
    }
}

/// So many messages in each span of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) count: u32,
    pub(crate) per: Duration,
}

impl Rate {
    /// Reads `rate_limit = "100/s"`.
    pub(crate) fn read(option: &OptionArg) -> syn::Result<Self> {
        let text = values::text(option, "rate_limit = \"100/s\"", "a rate such as \"100/s\"")?;
        parse(&text.value()).ok_or_else(|| values::problem(option, texts::not_rate(&text.value())))
    }
}

/// The accepted spellings: a number from 1 on, a slash, and `s`, `m` or `h`.
fn parse(text: &str) -> Option<Rate> {
    let (count, unit) = text.split_once('/')?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return None,
    };
    let is_number = count.bytes().all(|digit| digit.is_ascii_digit());
    let count = count.parse().ok().filter(|count| is_number && *count > 0)?;
    Some(Rate { count, per: Duration::from_secs(seconds) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_in_a_time() {
        let table = [
            ("100/s", Some((100, 1))),
            ("30/m", Some((30, 60))),
            ("1/h", Some((1, 3_600))),
            ("0/s", None),
            ("100", None),
            ("100/", None),
            ("/s", None),
            ("+1/s", None),
            ("1.5/s", None),
            ("100 / s", None),
            ("100/d", None),
            ("4294967296/s", None),
        ];
        for (text, wanted) in table {
            let read = parse(text).map(|rate| (rate.count, rate.per.as_secs()));
            assert_eq!(read, wanted, "{text}");
        }
    }
}
