//! Runs a command beside a RabbitMQ node that is there for as long: `with_broker cargo test` finds it in `BUS_TEST_AMQP_URL`.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a program for people, and no part of the runtime"
)]

use std::process::ExitCode;

use bus_tests::node::RabbitNode;
use tokio::process::Command;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: with_broker COMMAND [ARGUMENT..]");
        return ExitCode::from(2);
    };
    let node = RabbitNode::start().await;
    let mut command = Command::new(&program);
    command.args(arguments).env("BUS_TEST_AMQP_URL", node.url());
    match command.status().await {
        // Ended by a signal, there is no code.
        Ok(status) => {
            status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
        Err(error) => {
            eprintln!("{} cannot be started: {error}", program.display());
            ExitCode::FAILURE
        }
    }
}
