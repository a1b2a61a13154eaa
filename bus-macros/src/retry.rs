//! The option `retry`: its settings, each with its type.

use std::time::Duration;

use crate::args::{OptionArg, Value};
use crate::errors::{Errors, options as texts};
use crate::slots::{Given, Names, Once, Slot};
use crate::values;

/// The names of all settings.
const NAMES: Names = Names {
    listed: &["max", "initial", "factor", "max_delay", "jitter", "give_up_after"],
    aliases: &[],
    foreign: |_| None,
};

/// The most retries; the delivery limit of our queues is 100 and must not be met first.
const RETRIES_MAX: u32 = 90;
/// No delay needs to grow faster.
const FACTOR_MAX: f64 = 100.0;

/// The settings of `retry(..)`; `retry = "none"` is a `max` of 0.
#[derive(Default)]
pub(crate) struct Retry {
    pub(crate) max: Slot<u32>,
    pub(crate) initial: Slot<Duration>,
    pub(crate) factor: Slot<f64>,
    pub(crate) max_delay: Slot<Duration>,
    pub(crate) jitter: Slot<f64>,
    pub(crate) give_up_after: Slot<Duration>,
    pub(crate) none: bool,
}

impl Retry {
    /// Reads `retry = "none"` or `retry(max = 5, initial = "1s", ..)`.
    pub(crate) fn read(option: &OptionArg) -> syn::Result<Self> {
        const EXAMPLE: &str = "retry(max = 5, initial = \"1s\")   or   retry = \"none\"";
        let errors = Errors::new();
        let mut retry = Self { none: values::is_none(option), ..Self::default() };
        match &option.value {
            Value::List(inside, _) => {
                let settings = OptionArg::parse_list(inside.clone(), &errors);
                if inside.is_empty() {
                    errors.push(values::problem(option, texts::empty_list("retry", EXAMPLE)));
                }
                settings.iter().for_each(|setting| retry.set(setting, &errors));
            }
            _ if retry.none => retry.max = Some(Given { keyword: option.keyword.clone(), value: 0 }),
            _ => errors.push(values::problem(option, texts::no_list("retry", EXAMPLE))),
        }
        errors.check().map(|()| retry)
    }

    fn set(&mut self, setting: &OptionArg, errors: &Errors) {
        let once = Once { option: setting, place: "retry(..)", errors };
        match setting.name().as_str() {
            "max" => once.set(&mut self.max, |setting| values::number(setting, 0..=RETRIES_MAX)),
            "initial" => once.set(&mut self.initial, values::queue_time),
            "factor" => once.set(&mut self.factor, |setting| values::fraction(setting, 1.0..=FACTOR_MAX)),
            "max_delay" => once.set(&mut self.max_delay, values::queue_time),
            "jitter" => once.set(&mut self.jitter, values::part),
            "give_up_after" => once.set(&mut self.give_up_after, values::duration),
            _ => once.unknown(&NAMES),
        }
    }
}
