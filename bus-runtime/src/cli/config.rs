//! `config show`: what every setting is, and where it comes from.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::table::Table;
use super::{Output, report};
use crate::app::App;
use crate::config::{Config, Setting};

/// Options of `config`.
#[derive(Args, Clone, Debug)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum ConfigCommand {
    /// Show the settings; passwords are masked, and no broker is asked
    Show(ShowArgs),
}

#[derive(Args, Clone, Debug)]
struct ShowArgs {
    /// Where each of them comes from: command line, code, environment, .env, a line of the file, or default
    #[arg(long)]
    origin: bool,
    /// Only those that are not defaults
    #[arg(long)]
    changed: bool,
}

/// A setting, and what has set it.
struct Row {
    setting: Setting,
    origin: String,
}

pub(super) fn config(app: &App, found: &Config, arguments: &ConfigArgs, format: Output) -> ExitCode {
    let ConfigCommand::Show(arguments) = &arguments.command;
    let mut rows = match app.settings() {
        Ok(config) => rows(&config, found),
        Err(error) => return report::failed(&[error]),
    };
    if arguments.changed {
        rows.retain(|row| row.origin != DEFAULT);
    }
    let document =
        || json!({ "schema": "bus.config/1", "items": rows.iter().map(value).collect::<Vec<_>>() });
    report::print(&match format {
        Output::Table => table(&rows, arguments.origin),
        Output::Json => format!("{:#}\n", document()),
        Output::Jsonl => report::lines(&document()),
    })
}

const DEFAULT: &str = "default";

/// Name, value and origin of every setting that holds, for people.
#[cfg(feature = "dashboard")]
pub(crate) fn shown(config: &Config) -> Vec<[String; 3]> {
    let found = Config::from_env().unwrap_or_default();
    let rows = rows(config, &found).into_iter();
    rows.map(|Row { setting, origin }| [setting.variable.into_owned(), setting.text, origin]).collect()
}

/// The settings that hold, beside those that command line, environment and file gave: what differs was set by the code.
fn rows(config: &Config, found: &Config) -> Vec<Row> {
    let pairs = config.settings().into_iter().zip(found.settings());
    let mut rows: Vec<_> = pairs
        .map(|(setting, outside)| {
            let origin = match setting == outside {
                true => origin(&setting.variable, config),
                false => "code".to_owned(),
            };
            Row { setting, origin }
        })
        .collect();
    rows.extend(config.handler_settings().into_iter().map(|setting| {
        let origin = origin(&setting.variable, config);
        Row { setting, origin }
    }));
    rows
}

fn origin(variable: &str, config: &Config) -> String {
    if variable == "BROKER_URL" {
        return match &config.broker_from {
            Some(from) => match config.origins.get(from) {
                Some(origin) if from != "BROKER_URL" => format!("{origin} ({from})"),
                Some(origin) => origin.to_string(),
                None => from.clone(),
            },
            None => DEFAULT.to_owned(),
        };
    }
    config.origins.get(variable).map_or_else(|| DEFAULT.to_owned(), ToString::to_string)
}

fn table(rows: &[Row], with_origin: bool) -> String {
    let header: &[&str] = if with_origin { &["setting", "value", "origin"] } else { &["setting", "value"] };
    let mut table = Table::new(header);
    for Row { setting, origin } in rows {
        let cells = [setting.variable.to_string(), setting.text.clone()];
        table.row(cells.into_iter().chain(with_origin.then(|| origin.clone())));
    }
    table.render()
}

fn value(Row { setting, origin }: &Row) -> Value {
    json!({ "name": setting.variable, "value": setting.value, "origin": origin })
}
