//! `health`: what a program that runs on this machine says about itself, for the probes of Docker and others.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Output, block_on, report};
use crate::admin::AdminPort;
use crate::app::App;
use crate::error::{Error, ErrorKind};

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
/// The largest answer that is read: some thousand queues.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

pub(super) fn health(app: &App, arguments: &HealthArgs, format: Output) -> ExitCode {
    let asked = app.settings().and_then(|config| {
        let port = arguments.http.or(config.http).unwrap_or(AdminPort::Default);
        let address = port.reached_at().ok_or_else(switched_off)?;
        let question = match arguments.question {
            Question::Ready => "/readyz",
            Question::Live => "/livez",
        };
        let asking = ask(address, question);
        block_on(async { tokio::time::timeout(arguments.timeout, asking).await })
            .map(|answer| (address, answer.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))))
    });
    match asked {
        Err(error) => report::failed(&[error]),
        Ok((address, Err(error))) => {
            report::failed(&[Error::new(ErrorKind::Connect, format!("nobody answers at http://{address}"))
                .with_help("does the program run on this machine, and with the same --http or BUS_HTTP?")
                .with_source(error)]);
            ExitCode::from(UNHEALTHY)
        }
        Ok((_, Ok((status, body)))) => {
            let printed = report::print(&match format {
                Output::Json => body,
                Output::Table => told(&body),
            });
            if status == 200 { printed } else { ExitCode::from(UNHEALTHY) }
        }
    }
}

fn switched_off() -> Error {
    Error::new(ErrorKind::Config, "the admin port is switched off, so nobody can be asked")
        .with_help("run the program with --http 9464, or BUS_HTTP=9464")
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

/// Asks, and returns the status and the body.
async fn ask(address: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).await?;
    let strange = || std::io::Error::other("the answer is not that of a program of Bus");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(strange)?;
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    match status {
        Some(status) if body.contains("\"bus.health/1\"") => Ok((status, body.to_owned())),
        _ => Err(strange()),
    }
}
