//! `health`: what a program that runs on this machine says about itself, for the probes of Docker and others.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::{Output, block_on, http, report};
use crate::admin::AdminPort;
use crate::app::App;

/// Options of `health`.
#[derive(Args, Clone, Debug)]
pub struct HealthArgs {
    /// Whether it does its work (ready), or whether it is worth keeping (live)
    #[arg(value_enum, default_value_t = Question::Ready)]
    question: Question,
    /// Where the program answers, as it was told with --http [env: BUS_HTTP]
    #[arg(long, value_name = "ADDRESS", value_parser = super::admin_port)]
    http: Option<AdminPort>,
    /// How long it may take to answer
    #[arg(long, value_name = "TIME", value_parser = super::duration, default_value = "5s")]
    timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Question {
    /// Does it do its work?
    Ready,
    /// Is it worth keeping?
    Live,
}

/// The program answers no, or not at all.
const UNHEALTHY: u8 = 1;
pub(super) fn health(app: &App, arguments: &HealthArgs, format: Output) -> ExitCode {
    let asked = app.settings().and_then(|config| {
        let address = http::address(arguments.http, &config)?;
        let question = match arguments.question {
            Question::Ready => "GET /readyz",
            Question::Live => "GET /livez",
        };
        let answer = block_on(http::ask(address, question, "", arguments.timeout))?;
        let answer = answer.and_then(|answer| match answer.1.contains("\"bus.health/1\"") {
            true => Ok(answer),
            false => Err(std::io::Error::other("the answer is not that of a program of Bus")),
        });
        Ok((address, answer))
    });
    match asked {
        Err(error) => report::failed(&[error]),
        Ok((address, Err(error))) => {
            report::failed(&[http::nobody(address, error)]);
            ExitCode::from(UNHEALTHY)
        }
        Ok((_, Ok((status, body)))) => {
            let printed = report::print(&match format {
                Output::Json => body,
                Output::Jsonl => report::compact(&body),
                Output::Table => told(&body),
            });
            if status == 200 { printed } else { ExitCode::from(UNHEALTHY) }
        }
    }
}

/// The answer for people: one word, then what is wrong.
fn told(body: &str) -> String {
    let answer: Value = serde_json::from_str(body).unwrap_or_default();
    let mut text = format!("{}\n", answer["status"].as_str().unwrap_or("it does not say how it is"));
    for problem in answer["problems"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        text.push_str(&format!("  {problem}\n"));
    }
    text
}
