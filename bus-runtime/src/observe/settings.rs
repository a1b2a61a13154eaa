//! How metrics are taken and shown.

use std::fmt;

use crate::error::{Error, ErrorKind};

/// How metrics are taken and shown: `BUS_METRICS_PREFIX`, `BUS_METRICS_SAMPLE`, `BUS_METRICS_TOKEN`.
///
/// ```
/// let mut config = bus_runtime::Config::default();
/// config.metrics.one_of = 10;
/// assert_eq!(config.metrics.prefix, "");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetricsSettings {
    /// What stands in front of every name but those of the process.
    pub prefix: String,
    /// Of how many messages one is timed: 1 is each, 0 none. Counters count each message whatever this says.
    pub one_of: u32,
    /// What a client on another machine has to show, as `Authorization: Bearer ..`; nothing when it is `None`.
    pub token: Option<String>,
    /// The commit that the program was built from, for `bus_build_info`: `BUS_GIT_SHA`.
    pub git: Option<String>,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self { prefix: String::new(), one_of: 1, token: None, git: None }
    }
}

impl fmt::Debug for MetricsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsSettings")
            .field("prefix", &self.prefix)
            .field("one_of", &self.one_of)
            .field("token", &self.token.as_ref().map(|_| "***"))
            .field("git", &self.git)
            .finish()
    }
}

impl MetricsSettings {
    /// Reads what names may begin with.
    pub(crate) fn prefix(text: &str) -> Result<String, Error> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        match text.chars().all(fits) && !text.starts_with(|c: char| c.is_ascii_digit()) {
            true => Ok(text.to_owned()),
            false => {
                Err(Error::new(ErrorKind::Config, format!("`{text}` cannot begin the name of a metric"))
                    .with_help("letters, digits and `_`, and no digit first: my_app_"))
            }
        }
    }

    /// Reads which share of all messages is timed, as one of so many.
    pub(crate) fn sample(text: &str) -> Result<u32, Error> {
        match text.parse::<f64>() {
            Ok(0.0) => Ok(0),
            Ok(share) if (SMALLEST_SHARE..=1.0).contains(&share) => Ok((1.0 / share).round() as u32),
            _ => Err(Error::new(ErrorKind::Config, format!("`{text}` is no share of messages"))
                .with_help("1 times every message, 0.1 every tenth, 0 none")),
        }
    }
}

/// The smallest sample that makes sense.
const SMALLEST_SHARE: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read() {
        for (text, one_of) in [("1", 1), ("0.1", 10), ("0.3", 3), ("0", 0)] {
            assert_eq!(MetricsSettings::sample(text).unwrap(), one_of, "{text}");
        }
        for text in ["", "-1", "1.5", "many", "NaN"] {
            assert_eq!(MetricsSettings::sample(text).unwrap_err().kind(), ErrorKind::Config, "{text}");
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        let settings = MetricsSettings { token: Some("secret".to_owned()), ..MetricsSettings::default() };
        assert!(!format!("{settings:?}").contains("secret"));
    }
}
