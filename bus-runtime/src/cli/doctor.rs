//! `doctor`: everything that keeps an app from running, looked at one after the other, each with the way out.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::drift::Target;
use super::{Output, block_on, report};
use crate::app::App;
use crate::error::{Error, ErrorKind};

mod broker;
mod clock;
mod url;

/// Options of `doctor`.
#[derive(Args, Clone, Debug)]
pub struct DoctorArgs {
    #[command(flatten)]
    target: Target,
}

/// What was looked at, and what was found.
#[derive(Debug, Default)]
pub(super) struct Diagnosis {
    checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip)]
    exit: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Warn,
    Fail,
}

/// A check failed that no error stands for.
const PROBLEMS: u8 = 1;

impl Diagnosis {
    fn ok(&mut self, name: &'static str, message: impl Into<String>) {
        self.add(name, Status::Ok, message.into(), None);
    }

    fn warn(&mut self, name: &'static str, message: impl Into<String>, help: impl Into<String>) {
        self.add(name, Status::Warn, message.into(), Some(help.into()));
    }

    fn fail(&mut self, name: &'static str, message: impl Into<String>, help: impl Into<String>) {
        self.add(name, Status::Fail, message.into(), Some(help.into()));
    }

    fn error(&mut self, name: &'static str, error: &Error) {
        let mut message = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            message.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        self.add(name, Status::Fail, message, error.help().map(str::to_owned));
        if let Some(check) = self.checks.last_mut() {
            (check.code, check.exit) = (Some(error.kind().code()), error.kind().exit_code());
        }
    }

    fn add(&mut self, name: &'static str, status: Status, message: String, help: Option<String>) {
        let exit = if status == Status::Fail { PROBLEMS } else { 0 };
        self.checks.push(Check { name, status, message, help, code: None, exit });
    }

    /// The exit code: that of the first check that failed.
    pub(super) fn exit(&self) -> u8 {
        self.checks.iter().map(|check| check.exit).find(|exit| *exit != 0).unwrap_or_default()
    }

    /// A line for each check, and for the way out.
    pub(super) fn table(&self) -> String {
        let width = self.checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
        let mut text = String::new();
        for Check { name, status, message, help, code, .. } in &self.checks {
            let mark = match status {
                Status::Ok => "ok  ",
                Status::Warn => "warn",
                Status::Fail => "fail",
            };
            let code = code.map(|code| format!("[{code}] ")).unwrap_or_default();
            text.push_str(&format!("{mark}  {name:<width$}  {code}{message}\n"));
            if let Some(help) = help {
                text.push_str(&format!("      {:<width$}  help: {help}\n", ""));
            }
        }
        text
    }

    fn document(&self) -> String {
        format!("{:#}\n", json!({ "schema": "bus.doctor/1", "items": self.checks }))
    }
}

pub(super) fn doctor(mut app: App, arguments: &DoctorArgs, format: Output) -> ExitCode {
    arguments.target.apply(&mut app);
    let diagnosis = match examine_at_once(&mut app) {
        Ok(diagnosis) => diagnosis,
        Err(error) => return report::failed(&[error]),
    };
    let printed = report::print(&match format {
        Output::Table => diagnosis.table(),
        Output::Json => diagnosis.document(),
        Output::Jsonl => report::compact(&diagnosis.document()),
    });
    match diagnosis.exit() {
        0 => printed,
        exit => ExitCode::from(exit),
    }
}

/// Looks at everything, on a runtime of its own. Whoever asks wants to know now: a broker that is away is not waited for.
pub(super) fn examine_at_once(app: &mut App) -> Result<Diagnosis, Error> {
    let patience = app.settings().ok().and_then(|config| config.wait_for_broker);
    app.with_config(|config| config.wait_for_broker = None);
    let diagnosis = block_on(examine(app));
    app.with_config(|config| config.wait_for_broker = patience);
    diagnosis
}

/// Looks at everything, from what is near to what is far; what cannot be looked at because something before it failed is left
/// out.
async fn examine(app: &App) -> Diagnosis {
    let mut found = Diagnosis::default();
    let config = match app.settings() {
        Ok(config) => config,
        Err(error) => {
            found.error("config", &error);
            return found;
        }
    };
    for warning in &config.warnings {
        found.warn("config", warning, "the README lists the variables: section Environment");
    }
    handlers(app, &mut found);
    let is_embedded = match app.is_embedded() {
        Ok(is_embedded) => is_embedded,
        Err(error) => {
            found.error("config", &error);
            return found;
        }
    };
    match config.broker_url.as_ref().and_then(|url| Some((url, url.amqp()?))) {
        Some((address, amqp)) if !is_embedded => {
            let from = config.broker_from.as_deref().unwrap_or("the code");
            found.ok("config", format!("{address}, from {from}"));
            url::traps(amqp, &config.tls, &mut found);
            broker::examine(app, amqp, &mut found).await;
        }
        _ if config.require_broker => {
            let error = Error::new(ErrorKind::NoBroker, "a broker is required, and none is configured")
                .with_help("set BROKER_URL=amqp://user:password@host:5672");
            found.error("config", &error);
        }
        _ => found.warn(
            "config",
            "no broker is configured: the embedded one is used, and messages are gone when the process ends",
            "set BROKER_URL=amqp://user:password@host:5672",
        ),
    }
    found
}

fn handlers(app: &App, found: &mut Diagnosis) {
    match app.plan() {
        Ok(plan) if plan.handlers.is_empty() => found.warn(
            "handlers",
            "none are linked into this program",
            "a crate that nothing refers to is dropped: bus_runtime::link!(my_handlers)",
        ),
        Ok(plan) => {
            let count = |number: usize, noun| report::count(number as u64, noun);
            let (handlers, queues) =
                (count(plan.handlers.len(), "handler"), count(plan.queues.len(), "queue"));
            found.ok("handlers", format!("{handlers}, {queues}"));
        }
        Err(errors) => errors.iter().for_each(|error| found.error("handlers", error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_decides_the_exit_code() {
        let mut found = Diagnosis::default();
        found.ok("config", "fine");
        found.warn("url", "odd", "do this");
        assert_eq!(found.exit(), 0);
        found.error("connect", &Error::new(ErrorKind::AccessRefused, "refused").with_help("log in"));
        found.fail("topology", "differs", "apply it");
        assert_eq!(found.exit(), 77);
        assert_eq!(
            found.table(),
            "ok    config    fine\n\
             warn  url       odd\n                help: do this\n\
             fail  connect   [BUS0103] refused\n                help: log in\n\
             fail  topology  differs\n                help: apply it\n"
        );
        let document: serde_json::Value = serde_json::from_str(&found.document()).unwrap();
        assert_eq!(document["items"][1]["status"], "warn");
    }
}
