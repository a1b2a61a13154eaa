//! `queues pause` and `queues resume`: the program that runs on this machine is told over its admin port, as its dashboard does it.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::printed;
use crate::admin::AdminPort;
use crate::app::App;
use crate::cli::{Output, admin_port, block_on, duration, http, report};
use crate::error::{Error, ErrorKind};

/// Options of `queues pause` and `queues resume`.
#[derive(Args, Clone, Debug)]
pub(super) struct PauseArgs {
    /// The queue, as `queues` lists it
    queue: String,
    /// Where the program answers, as it was told with --http [env: BUS_HTTP]
    #[arg(long, value_name = "ADDRESS", value_parser = admin_port)]
    http: Option<AdminPort>,
    /// How long it may take to answer
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5s")]
    timeout: Duration,
}

/// What is to become of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Pause,
    Resume,
}

pub(super) fn turn(app: &App, arguments: &PauseArgs, turn: Turn, format: Output) -> ExitCode {
    match tell(app, arguments, turn) {
        Ok(is_paused) => {
            let queue = &arguments.queue;
            let document = json!({ "schema": "bus.queue-state/1", "queue": queue, "paused": is_paused });
            report::print(&match (format, is_paused) {
                (Output::Table, true) => {
                    format!(
                        "{queue} is paused in the program that runs here; its messages stay in the broker\n"
                    )
                }
                (Output::Table, false) => format!("{queue} goes on\n"),
                (Output::Json | Output::Jsonl, _) => printed(&document, format),
            })
        }
        Err(error) => report::failed(&[error]),
    }
}

fn tell(app: &App, arguments: &PauseArgs, turn: Turn) -> Result<bool, Error> {
    let plan = app.plan().map_err(crate::app::first)?;
    let (name, _) = super::find(&plan, &arguments.queue)?;
    let config = app.settings()?;
    let address = http::address(arguments.http, &config)?;
    let verb = match turn {
        Turn::Pause => "pause",
        Turn::Resume => "resume",
    };
    let question = format!("POST /api/v1/queues/{}/{verb}", http::segment(&name));
    let headers = format!("X-Bus-Client: cli\r\n{}", config.http_access.credentials());
    let answer = block_on(http::ask(address, &question, &headers, arguments.timeout))?;
    let (status, body) = answer.map_err(|error| http::nobody(address, error))?;
    let told: Value = serde_json::from_str(&body).unwrap_or_default();
    if let (200, Some(is_paused)) = (status, told["paused"].as_bool()) {
        return Ok(is_paused);
    }
    let why = told["title"].as_str().unwrap_or("it does not say why");
    Err(match status {
        401 | 403 => {
            Error::new(ErrorKind::AccessRefused, format!("the program at http://{address} refuses: {why}"))
                .with_help("set the same BUS_HTTP_TOKEN as for the program")
        }
        404 => Error::new(ErrorKind::NotFound, format!("the program at http://{address} can't: {why}"))
            .with_help("it needs the feature `dashboard`, and has to consume the queue"),
        _ => {
            Error::new(ErrorKind::Broker, format!("the program at http://{address} answers {status}: {why}"))
        }
    })
}
