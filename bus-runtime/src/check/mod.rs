//! What is wrong or looks wrong with a program as a whole, found without a broker. Pure.

mod circles;
mod lock;
mod routes;
mod times;

use std::time::Duration;

use crate::error::{Error, Place};
use crate::registration::{MessageRegistration, PublishRegistration};
use crate::topology::{Plan, PlanSettings};

pub use lock::Lock;
pub(crate) use times::resting;

/// Something that is wrong, or looks wrong, with a program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The code that users search for, such as `BUS0301`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub message: String,
    /// Where, and what is there.
    pub places: Vec<(Place, String)>,
    /// The way out.
    pub help: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// It works, and is hardly meant.
    Warning,
    /// It must not go out like that.
    Error,
}

impl Severity {
    /// `warning` or `error`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Finding {
    fn new(code: &'static str, severity: Severity, message: String, help: impl Into<String>) -> Self {
        Self { code, severity, message, places: Vec::new(), help: help.into() }
    }

    fn warning(code: &'static str, message: String, help: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, message, help)
    }

    /// More or fewer handlers than there should be.
    #[cfg(feature = "cli")]
    pub(crate) fn unexpected(expected: usize, found: usize) -> Self {
        Self::new(
            "BUS0002",
            Severity::Error,
            format!("{expected} handlers are expected and {found} are linked"),
            "a crate that nothing refers to is dropped by the linker: bus_runtime::link!(..)",
        )
    }

    fn at(mut self, place: Place, label: impl Into<String>) -> Self {
        self.places.push((place, label.into()));
        self
    }
}

/// An error of the plan is a finding like others.
impl From<&Error> for Finding {
    fn from(error: &Error) -> Self {
        Self {
            code: error.kind().code(),
            severity: Severity::Error,
            message: error.to_string(),
            places: error.places().to_vec(),
            help: error.help().unwrap_or_default().to_owned(),
        }
    }
}

/// A program, as far as it is known without running it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program<'p> {
    pub(crate) plan: &'p Plan,
    pub(crate) settings: &'p PlanSettings,
    pub(crate) messages: &'p [&'static MessageRegistration],
    pub(crate) published: &'p [&'static PublishRegistration],
    pub(crate) ack_timeout: Option<Duration>,
}

/// Everything that looks wrong: messages that nobody handles, tasks and commands without a handler, keys that nobody binds,
/// bindings that nobody publishes, circles, and times that the broker does not allow.
pub(crate) fn check(program: Program<'_>) -> Vec<Finding> {
    let mut findings = routes::check(program);
    findings.extend(circles::check(program));
    if let Some(limit) = program.ack_timeout {
        findings.extend(times::held(program.plan, limit));
        findings.extend(resting(program.plan, limit));
    }
    findings
}
