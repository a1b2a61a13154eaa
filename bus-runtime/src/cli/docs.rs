//! `docs`: files about the handlers, for other programs to read.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::report;
use crate::app::App;
use crate::observe;

/// Options of `docs`.
#[derive(Args, Clone, Debug)]
pub struct DocsArgs {
    #[command(subcommand)]
    command: DocsCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum DocsCommand {
    /// Write alerts for Prometheus, about the handlers of this program
    Alerts(PrefixArgs),
    /// Write a dashboard for Grafana, with the handlers of this program
    Grafana(PrefixArgs),
}

#[derive(Args, Clone, Debug)]
struct PrefixArgs {
    /// What stands in front of the names of all metrics [env: BUS_METRICS_PREFIX]
    #[arg(long, value_name = "PREFIX", value_parser = super::metrics_prefix)]
    metrics_prefix: Option<String>,
}

pub(super) fn docs(app: &App, arguments: &DocsArgs) -> ExitCode {
    let (DocsCommand::Alerts(of) | DocsCommand::Grafana(of)) = &arguments.command;
    let settings = match app.settings() {
        Ok(settings) => settings,
        Err(error) => return report::failed(&[error]),
    };
    let plan = match app.plan() {
        Ok(plan) => plan,
        Err(errors) => return report::failed(&errors),
    };
    let prefix = of.metrics_prefix.as_deref().unwrap_or(&settings.metrics.prefix);
    let name = app.app_name();
    report::print(&match &arguments.command {
        DocsCommand::Alerts(_) => observe::alerts(&plan, &name, prefix),
        DocsCommand::Grafana(_) => format!("{:#}\n", observe::dashboard(&plan, &name, prefix)),
    })
}
