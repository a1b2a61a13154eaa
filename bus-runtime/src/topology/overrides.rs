//! What is set for a single handler from outside, over its attributes.

use crate::policy::RateLimit;
use crate::registration::{HandlerId, HandlerOptions, HandlerRegistration, Timeout};

/// What is set for one handler: `BUS_HANDLER__WIKI__ON_WIKI__TIMEOUT=60s`. It wins over the attribute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandlerOverride {
    /// The handler, as variables spell it: `WIKI__ON_WIKI`.
    pub handler: String,
    /// The option `timeout`.
    pub timeout: Option<Timeout>,
    /// `max` of the option `retry`.
    pub retries: Option<u32>,
    /// The option `concurrency`.
    pub concurrency: Option<u16>,
    /// The option `prefetch`.
    pub prefetch: Option<u16>,
    /// The option `rate_limit`.
    pub rate_limit: Option<RateLimit>,
}

/// The name of a handler as variables spell it: `wiki::on_wiki` is `WIKI__ON_WIKI`.
pub(crate) fn override_name(handler: &str) -> String {
    let words = handler.replace("::", "__").to_uppercase();
    words.chars().map(|one| if one.is_alphanumeric() { one } else { '_' }).collect()
}

/// What the attribute says, with what is set for this handler over it.
pub(super) fn overridden(
    overrides: &[HandlerOverride],
    registration: &HandlerRegistration,
) -> HandlerOptions {
    let mut options = registration.options;
    if overrides.is_empty() {
        return options;
    }
    let HandlerId { module, name } = registration.id;
    let name = override_name(&options.name.map_or_else(|| format!("{module}::{name}"), str::to_owned));
    let Some(set) = overrides.iter().find(|one| one.handler == name) else { return options };
    let HandlerOverride { handler: _, timeout, retries, concurrency, prefetch, rate_limit } = set;
    options.timeout = timeout.or(options.timeout);
    options.concurrency = concurrency.or(options.concurrency);
    options.prefetch = prefetch.or(options.prefetch);
    options.rate_limit = rate_limit.or(options.rate_limit);
    if retries.is_some() {
        let mut retry = options.retry.unwrap_or_default();
        retry.max = *retries;
        options.retry = Some(retry);
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelt_as_variables() {
        let table = [
            ("wiki::on_wiki", "WIKI__ON_WIKI"),
            ("forge::wiki::Wiki::save", "FORGE__WIKI__WIKI__SAVE"),
            ("send-mail", "SEND_MAIL"),
        ];
        for (name, variable) in table {
            assert_eq!(override_name(name), variable);
        }
    }
}
