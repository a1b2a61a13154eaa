//! `docs`: documents about the program, written or compared with a file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::{completions, report};
use crate::app::App;
use crate::docs;
use crate::error::{Error, ErrorKind};
use crate::observe;
use crate::topology::Plan;

/// Options of `docs`.
#[derive(Args, Clone, Debug)]
pub struct DocsArgs {
    #[command(subcommand)]
    command: DocsCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum DocsCommand {
    /// What the program receives and sends, as AsyncAPI 3.0
    Asyncapi(ValueArgs),
    /// One JSON Schema of all messages
    Schema(ValueArgs),
    /// Exchanges, queues and handlers as a Mermaid flowchart
    Mermaid(Target),
    /// Exchanges, queues and handlers as a graph for Graphviz: dot -Tsvg
    Dot(Target),
    /// A page with a diagram, the handlers and the messages
    Markdown(Target),
    /// The manual page of the program: man -l FILE
    Man(Target),
    /// Write alerts for Prometheus, about the handlers of this program
    Alerts(MetricsArgs),
    /// Write a dashboard for Grafana, with the handlers of this program
    Grafana(MetricsArgs),
}

#[derive(Args, Clone, Debug)]
struct MetricsArgs {
    /// What stands in front of the names of all metrics [env: BUS_METRICS_PREFIX]
    #[arg(long, value_name = "PREFIX", value_parser = super::metrics_prefix)]
    metrics_prefix: Option<String>,
    #[command(flatten)]
    target: Target,
}

impl MetricsArgs {
    /// Makes a document of the plan, the name of the app and what the names of metrics begin with.
    fn make(&self, app: &App, make: impl FnOnce(&Plan, &str, &str) -> String) -> Result<String, Vec<Error>> {
        let settings = app.settings().map_err(|error| vec![error])?;
        let prefix = self.metrics_prefix.as_deref().unwrap_or(&settings.metrics.prefix);
        Ok(make(&app.plan()?, &app.app_name(), prefix))
    }
}

/// Where a document goes.
#[derive(Args, Clone, Debug)]
struct Target {
    /// Write it into this file; standard output without it
    #[arg(short, long, value_name = "FILE", conflicts_with = "check")]
    write: Option<PathBuf>,
    /// Only compare it with this file; 1 when it differs
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
struct ValueArgs {
    /// In which form; by the name of the file, else JSON
    #[arg(long, value_enum)]
    format: Option<Format>,
    #[command(flatten)]
    target: Target,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Yaml,
}

impl ValueArgs {
    fn print(&self, value: &Value) -> String {
        let file = self.target.write.as_deref().or(self.target.check.as_deref());
        let is_yaml = |path: &Path| path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        match self.format {
            Some(Format::Yaml) => docs::yaml(value),
            None if file.is_some_and(is_yaml) => docs::yaml(value),
            Some(Format::Json) | None => format!("{value:#}\n"),
        }
    }
}

/// The file is not what the code says.
const DIFFERS: u8 = 1;

pub(super) fn docs(app: &App, arguments: &DocsArgs) -> ExitCode {
    let made = match &arguments.command {
        DocsCommand::Asyncapi(form) => app.document(|subject| form.print(&docs::asyncapi(subject))),
        DocsCommand::Schema(form) => app.document(|subject| form.print(&docs::schemas(subject))),
        DocsCommand::Mermaid(_) => app.document(docs::mermaid),
        DocsCommand::Dot(_) => app.document(docs::dot),
        DocsCommand::Markdown(_) => app.document(docs::markdown),
        DocsCommand::Man(_) => Ok(completions::man(app)),
        DocsCommand::Alerts(of) => of.make(app, observe::alerts),
        DocsCommand::Grafana(of) => {
            of.make(app, |plan, name, prefix| format!("{:#}\n", observe::dashboard(plan, name, prefix)))
        }
    };
    let (DocsCommand::Asyncapi(ValueArgs { target, .. })
    | DocsCommand::Schema(ValueArgs { target, .. })
    | DocsCommand::Mermaid(target)
    | DocsCommand::Dot(target)
    | DocsCommand::Markdown(target)
    | DocsCommand::Man(target)
    | DocsCommand::Alerts(MetricsArgs { target, .. })
    | DocsCommand::Grafana(MetricsArgs { target, .. })) = &arguments.command;
    match made {
        Ok(text) => deliver(&text, target),
        Err(errors) => report::failed(&errors),
    }
}

fn deliver(text: &str, Target { write, check }: &Target) -> ExitCode {
    let trouble = |path: &Path, what: &str, error: std::io::Error| {
        let text = format!("{} can't be {what}", path.display());
        report::failed(&[Error::new(ErrorKind::Config, text).with_source(error)])
    };
    match (write, check) {
        (Some(path), _) => match std::fs::write(path, text) {
            Ok(()) => {
                report::note(&format!("wrote {}", path.display()));
                ExitCode::SUCCESS
            }
            Err(error) => trouble(path, "written", error),
        },
        (None, Some(path)) => match std::fs::read_to_string(path) {
            Ok(known) if known == text => ExitCode::SUCCESS,
            Ok(known) => {
                let line =
                    known.lines().zip(text.lines()).take_while(|(one, other)| one == other).count() + 1;
                report::note(&format!(
                    "{} is not what the code says, from line {line} on; write it anew with --write, and review the difference",
                    path.display()
                ));
                ExitCode::from(DIFFERS)
            }
            Err(error) => trouble(path, "read", error),
        },
        (None, None) => report::print(text),
    }
}
