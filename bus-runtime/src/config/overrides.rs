//! Settings for one handler: `BUS_HANDLER__WIKI__ON_WIKI__TIMEOUT=60s`.

use std::time::Duration;

use super::vars::Vars;
use super::{closest, parse_duration};
use crate::error::Error;
use crate::policy::{RETRIES_MAX, RateLimit};
use crate::registration::Timeout;
use crate::topology::HandlerOverride;

/// What the names of these variables begin with.
pub(super) const PREFIX: &str = "BUS_HANDLER__";
/// What can be set for one handler; in capitals the last word of the variable.
pub(super) const OPTIONS: [&str; 5] = ["timeout", "retries", "concurrency", "prefetch", "rate_limit"];

/// What the variables set for single handlers, in the order of their names. Misspelt options are warnings, as other variables are.
pub(super) fn read(vars: &Vars, warnings: &mut Vec<String>) -> Result<Vec<HandlerOverride>, Error> {
    let mut found: Vec<HandlerOverride> = Vec::new();
    for name in vars.0.keys() {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let Some((handler, option)) = rest.rsplit_once("__").filter(|(handler, _)| !handler.is_empty())
        else {
            warnings.push(format!(
                "{} is not used: it is {PREFIX}<HANDLER>__<OPTION>, such as {PREFIX}WIKI__ON_WIKI__TIMEOUT",
                vars.label(name)
            ));
            continue;
        };
        let option = option.to_lowercase();
        if !OPTIONS.contains(&option.as_str()) {
            let near = closest(&option, OPTIONS);
            let help = near.map_or_else(
                || format!("the options are {}", OPTIONS.join(", ").to_uppercase()),
                |near| format!("did you mean {PREFIX}{handler}__{}?", near.to_uppercase()),
            );
            warnings.push(format!("{} is not used; {help}", vars.label(name)));
            continue;
        }
        if !found.iter().any(|one| one.handler == handler) {
            found.push(HandlerOverride { handler: handler.to_owned(), ..HandlerOverride::default() });
        }
        if let Some(one) = found.iter_mut().find(|one| one.handler == handler) {
            set(one, &option, name, vars)?;
        }
    }
    Ok(found)
}

fn set(one: &mut HandlerOverride, option: &str, name: &str, vars: &Vars) -> Result<(), Error> {
    let text = vars.get(name).unwrap_or_default();
    match option {
        "timeout" => {
            let timeout = match text {
                "none" => Some(Timeout::Never),
                _ => parse_duration(text).map(|time| match time.is_zero() {
                    true => Timeout::Never,
                    false => Timeout::After(time),
                }),
            };
            let help = "plain seconds, a number and ms, s, m or h, or none: 30, 500ms, 5m";
            let timeout = timeout.ok_or_else(|| vars.invalid(name, text, "is not a duration", help))?;
            one.timeout = Some(timeout);
        }
        "retries" => {
            let retries = text.parse().ok().filter(|retries| *retries <= RETRIES_MAX);
            let problem = format!("is not a number from 0 to {RETRIES_MAX}");
            one.retries =
                Some(retries.ok_or_else(|| vars.invalid(name, text, problem, "say how many, such as 5"))?);
        }
        "concurrency" => one.concurrency = vars.count(name)?,
        "prefetch" => one.prefetch = vars.count(name)?,
        _ => {
            let limit = rate_limit(text);
            let help = "say 100/s, 30/m or 10/h";
            one.rate_limit = Some(limit.ok_or_else(|| vars.invalid(name, text, "is no rate", help))?);
        }
    }
    Ok(())
}

/// Reads `100/s`, `30/m` or `10/h`.
fn rate_limit(text: &str) -> Option<RateLimit> {
    let (count, unit) = text.split_once('/')?;
    let seconds = match unit.trim() {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let count = count.trim().parse().ok().filter(|count| *count > 0)?;
    Some(RateLimit { count, per: Duration::from_secs(seconds) })
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn from(vars: &[(&str, &str)]) -> Result<Config, Error> {
        Config::from_vars(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn options_of_one_handler_are_read() {
        let config = from(&[
            ("BUS_HANDLER__WIKI__ON_WIKI__TIMEOUT", "60s"),
            ("BUS_HANDLER__WIKI__ON_WIKI__RATE_LIMIT", "30/m"),
            ("BUS_HANDLER__SEND__RETRIES", "0"),
            ("BUS_HANDLER__SEND__TIMEOUT", "none"),
        ])
        .unwrap();
        let [send, wiki] = config.plan.overrides.as_slice() else { panic!("{:?}", config.plan.overrides) };
        assert_eq!(
            (send.handler.as_str(), send.retries, send.timeout),
            ("SEND", Some(0), Some(Timeout::Never))
        );
        assert_eq!(wiki.timeout, Some(Timeout::After(Duration::from_secs(60))));
        assert_eq!(wiki.rate_limit, Some(RateLimit { count: 30, per: Duration::from_secs(60) }));
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (name, value) in
            [("TIMEOUT", "soon"), ("RETRIES", "91"), ("PREFETCH", "0"), ("RATE_LIMIT", "5/day")]
        {
            let name = format!("BUS_HANDLER__A__{name}");
            let error = from(&[(&name, value)]).unwrap_err();
            assert!(error.to_string().starts_with(&name), "{error}");
        }
        let config = from(&[("BUS_HANDLER__A__TIMOUT", "1"), ("BUS_HANDLER__A", "1")]).unwrap();
        assert_eq!(config.warnings.len(), 2);
        assert!(
            config.warnings[1].ends_with("did you mean BUS_HANDLER__A__TIMEOUT?"),
            "{:?}",
            config.warnings
        );
    }
}
