//! `request`: send a command by hand, and print what its handler replies.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::publish::BodyArgs;
use super::{Output, block_on, report};
use crate::app::App;
use crate::config::closest;
use crate::error::{Error, ErrorKind};
use crate::message::{MessageKind, MessageType};

/// Options of `request`.
#[derive(Args, Clone, Debug)]
pub struct RequestArgs {
    /// The name of a command, such as CreateUser, or its topic
    #[arg(value_name = "TYPE")]
    command: String,
    #[command(flatten)]
    body: BodyArgs,
    /// How long to wait for the reply; a command that nobody has begun by then is not handled later
    #[arg(long, value_name = "TIME", value_parser = super::duration, default_value = "30s")]
    timeout: Duration,
}

pub(super) fn request(app: App, arguments: &RequestArgs, format: Output) -> ExitCode {
    let replied = find(&app, &arguments.command).and_then(|command| {
        let body = arguments.body.read()?;
        let reply = block_on(ask(app, command, body, arguments.timeout))??;
        Ok((command, reply))
    });
    match replied {
        Ok((command, reply)) => report::print(&match format {
            Output::Table => format!("{reply:#}\n"),
            Output::Json => format!("{:#}\n", document(command, &reply)),
            Output::Jsonl => format!("{}\n", document(command, &reply)),
        }),
        Err(error) => report::failed(&[error]),
    }
}

fn document(command: MessageType, reply: &Value) -> Value {
    json!({ "schema": "bus.request/1", "command": command.topic, "reply": reply })
}

/// The command that is meant, of those that the program handles or has a type for.
fn find(app: &App, wanted: &str) -> Result<MessageType, Error> {
    let plan = app.plan().map_err(crate::app::first)?;
    let handled = plan.handlers.iter().filter_map(|entry| entry.message);
    let known: Vec<_> = handled.chain(app.messages().iter().map(|one| one.message)).collect();
    let is_meant = |one: &&MessageType| one.short_name() == wanted || one.topic == wanted;
    let commands = || known.iter().filter(|one| one.kind == MessageKind::Command);
    if let Some(command) = commands().find(is_meant) {
        return Ok(*command);
    }
    if let Some(other) = known.iter().find(is_meant) {
        let text = format!("`{wanted}` is an {} that nobody replies to", other.kind.as_str());
        let text = text.replace("an task", "a task");
        return Err(Error::new(ErrorKind::InvalidName, text).with_help("send it with `publish`"));
    }
    let near = closest(wanted, commands().flat_map(|one| [one.short_name(), one.topic]));
    let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    let mut names: Vec<_> = commands().map(MessageType::short_name).collect();
    names.sort_unstable();
    names.dedup();
    Err(Error::new(ErrorKind::InvalidName, format!("the program knows no command `{wanted}`{near}"))
        .with_help(match names.is_empty() {
            true => "it has none: they are types with #[derive(Message)] and #[command(\"..\")]".to_owned(),
            false => format!("there are {}", names.join(", ")),
        }))
}

/// Sends it and waits. The embedded broker lives in this process, so the handlers run here, too.
async fn ask(app: App, command: MessageType, body: Vec<u8>, timeout: Duration) -> Result<Value, Error> {
    let embedded = app.is_embedded()?;
    if embedded {
        report::warning(
            "no BROKER_URL is set: the embedded broker lives in this process, so the handlers run here",
        );
    }
    let bus = if embedded { app.start().await? } else { app.publisher_only().await? };
    let replied = bus.execute_raw(command, body).timeout(timeout).await;
    bus.shutdown().await;
    replied
}
