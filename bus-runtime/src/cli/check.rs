//! `check`: whether the handlers fit together, without a broker.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::colour::Stream;
use super::snippet::{self, Shown};
use super::{Output, report};
use crate::app::App;
use crate::check::{Finding, Lock, Severity};
use crate::error::{Error, ErrorKind};

/// Options of `check`.
#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// How many handlers there should be: finds those that the linker has dropped
    #[arg(long, value_name = "N")]
    expect: Option<usize>,
    /// Warnings are errors
    #[arg(long, value_enum, value_name = "WHAT")]
    deny: Option<Deny>,
    /// Findings that are fine here, by their codes: BUS0301,BUS0304
    #[arg(long, value_name = "CODE,..", value_delimiter = ',')]
    allow: Vec<String>,
    /// Write bus.lock: handlers, queues, bindings and the shapes of messages, for people to review
    #[arg(long)]
    lock: bool,
    /// The file that is written by --lock, and compared with when it is there
    #[arg(long, value_name = "FILE", default_value = "bus.lock")]
    lock_file: PathBuf,
    /// How long the broker waits for an acknowledgement: its consumer_timeout [env: BUS_ACK_TIMEOUT]
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    ack_timeout: Option<Duration>,
    /// Accepted for compatibility: it never needs the broker
    #[arg(long, hide = true)]
    offline: bool,
}

/// What `--deny` makes an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Everything that looks wrong.
    Warnings,
}

/// The command ran, and the answer is bad.
const PROBLEMS: u8 = 1;

pub(super) fn check(mut app: App, arguments: &CheckArgs, format: Output) -> ExitCode {
    if let Some(time) = arguments.ack_timeout {
        app.with_config(|config| config.ack_timeout = Some(time));
    }
    let (findings, summary) = match find(&app, arguments) {
        Ok(found) => found,
        Err(error) => return report::failed(&[error]),
    };
    let text = match format {
        Output::Table => told(&findings, &summary),
        Output::Json => document(&findings),
        Output::Jsonl => report::compact(&document(&findings)),
    };
    if format == Output::Table {
        report::aside(&report::see(findings.iter().map(|finding| finding.code)));
    }
    let is_bad =
        |finding: &Finding| finding.severity == Severity::Error || arguments.deny == Some(Deny::Warnings);
    match (report::print(&text), findings.iter().any(is_bad)) {
        (_, true) => ExitCode::from(PROBLEMS),
        (printed, false) => printed,
    }
}

/// What there is to say, and the last line when that is nothing bad.
fn find(app: &App, arguments: &CheckArgs) -> Result<(Vec<Finding>, String), Error> {
    let plan = match app.plan() {
        Ok(plan) => plan,
        Err(errors) => return Ok((errors.iter().map(Finding::from).collect(), String::new())),
    };
    let mut findings = app.check().map_err(crate::app::first)?;
    let lock = app.lock().map_err(crate::app::first)?;
    let handlers = report::count(plan.handlers.len() as u64, "handler");
    let queues = report::count(plan.queues.len() as u64, "queue");
    let mut summary = format!("ok: {handlers}, {queues}");
    if arguments.lock {
        write(&arguments.lock_file, &lock)?;
        summary.push_str(&format!("; wrote {}", arguments.lock_file.display()));
    } else if let Some(before) = read(&arguments.lock_file)? {
        findings.extend(before.compare(&lock, &plan));
    }
    findings.retain(|finding| {
        finding.severity == Severity::Error || !arguments.allow.iter().any(|code| code == finding.code)
    });
    let found = plan.handlers.len();
    if let Some(expected) = arguments.expect.filter(|expected| *expected != found) {
        findings.push(Finding::unexpected(expected, found));
    }
    Ok((findings, summary))
}

fn read(path: &Path) -> Result<Option<Lock>, Error> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(trouble(path, "can't be read").with_source(error)),
    };
    Lock::parse(&text).map(Some).map_err(|problem| {
        trouble(path, &problem)
            .with_help("it is written by `check --lock`; settle a merge conflict by writing it anew")
    })
}

fn write(path: &Path, lock: &Lock) -> Result<(), Error> {
    std::fs::write(path, lock.to_string())
        .map_err(|error| trouble(path, "can't be written").with_source(error))
}

fn trouble(path: &Path, problem: &str) -> Error {
    Error::new(ErrorKind::Config, format!("{}: {problem}", path.display()))
}

fn told(findings: &[Finding], summary: &str) -> String {
    let mut text: String = findings.iter().map(render).collect();
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if findings.is_empty() {
        text.push_str(&format!("{summary}\n"));
    } else {
        text.push_str(&format!("{} and {}\n", counted(errors, "error"), counted(warnings, "warning")));
    }
    text
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A finding as an error is printed.
fn render(finding: &Finding) -> String {
    let Finding { code, severity, message, places, help } = finding;
    let shown = Shown {
        severity: *severity,
        code,
        message: message.clone(),
        places,
        causes: Vec::new(),
        help: (!help.is_empty()).then_some(help.as_str()),
    };
    snippet::render(&shown, Stream::Out)
}

fn document(findings: &[Finding]) -> String {
    let items: Vec<Value> = findings.iter().map(value).collect();
    format!("{:#}\n", json!({ "schema": "bus.check/1", "items": items }))
}

fn value(Finding { code, severity, message, places, help }: &Finding) -> Value {
    let places: Vec<_> = places
        .iter()
        .map(|(place, label)| {
            json!({ "file": place.file, "line": place.line, "column": place.column, "label": label })
        })
        .collect();
    json!({ "code": code, "severity": severity.as_str(), "message": message, "places": places, "help": help })
}
