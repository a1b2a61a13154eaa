//! `call`: one handler is called with one message in this process, without a broker.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::clean::clean;
use super::publish::{BodyArgs, name_and_value};
use super::{Output, block_on, report};
use crate::app::App;
use crate::dead_letters::Selection;
use crate::envelope::header;
use crate::error::{Error, ErrorKind};
use crate::topology::{HandlerEntry, HandlerOverride, override_name};
use crate::transport::embedded::EmbeddedBroker;

/// Options of `call`.
#[derive(Args, Clone, Debug)]
pub struct CallArgs {
    /// The handler, as `handlers` lists it, or the end of its name
    #[arg(value_name = "HANDLER")]
    handler: String,
    #[command(flatten)]
    body: BodyArgs,
    /// The routing key; needed where the handler's binding key has wildcards
    #[arg(short, long, value_name = "KEY")]
    key: Option<String>,
    /// A header, as often as you like
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = name_and_value)]
    headers: Vec<(String, String)>,
}

/// The handler has failed.
const FAILED: u8 = 1;

impl Called {
    fn told(&self) -> String {
        let Self { handler, key, problem, took } = self;
        match problem {
            None => format!("{handler} has handled {key} in {took:.1?}\n"),
            Some((reason, error)) => {
                format!(
                    "{handler} has not handled {key}: dead letter with the reason {reason}\n  {}\n",
                    clean(error)
                )
            }
        }
    }

    fn value(&self) -> Value {
        let Self { handler, key, problem, took } = self;
        let (reason, error) = problem.clone().unzip();
        json!({
            "schema": "bus.call/1",
            "handler": handler,
            "key": key,
            "handled": problem.is_none(),
            "reason": reason,
            "error": error,
            "seconds": took.as_secs_f64(),
        })
    }
}

pub(super) fn call(app: App, arguments: &CallArgs, format: Output) -> ExitCode {
    match prepare(app, arguments).and_then(|call| block_on(perform(call))?) {
        Ok(called) => {
            let printed = report::print(&match format {
                Output::Table => called.told(),
                Output::Json | Output::Jsonl => format!("{}\n", called.value()),
            });
            if called.problem.is_some() { ExitCode::from(FAILED) } else { printed }
        }
        Err(error) => report::failed(&[error]),
    }
}

/// A handler, and the message that it is called with.
struct Call {
    app: App,
    entry: Arc<HandlerEntry>,
    key: String,
    body: Vec<u8>,
    content_type: String,
    headers: Vec<(String, String)>,
}

/// What came of it.
struct Called {
    handler: String,
    key: String,
    /// The reason and the error of its dead letter.
    problem: Option<(String, String)>,
    took: std::time::Duration,
}

fn prepare(mut app: App, arguments: &CallArgs) -> Result<Call, Error> {
    let plan = app.plan().map_err(crate::app::first)?;
    let entry = Arc::clone(super::describe::one(&plan, &arguments.handler)?);
    let key = match (&arguments.key, entry.keys.first()) {
        (Some(key), _) => key.clone(),
        (None, Some(key)) if !key.key.as_str().contains(['*', '#']) => key.key.as_str().to_owned(),
        (None, _) => {
            let keys = super::handlers::keys(&entry).join(", ");
            let text = format!("{} takes messages of many routing keys ({keys})", entry.name);
            return Err(
                Error::new(ErrorKind::InvalidName, text).with_help("say which: --key wiki.page.saved")
            );
        }
    };
    if !entry.wants(&entry.exchange, &key, None) {
        let text = format!("{} does not take messages with the routing key {key}", entry.name);
        return Err(Error::new(ErrorKind::InvalidName, text).with_help("`handlers explain <KEY>` tells why"));
    }
    let body = arguments.body.read()?;
    app.with_config(|config| {
        config.handlers = vec![entry.name.clone()];
        (config.groups, config.exclude) = (Vec::new(), Vec::new());
        // One attempt: whoever looks does not want to wait for others.
        let handler = override_name(&entry.name);
        match config.plan.overrides.iter_mut().find(|one| one.handler == handler) {
            Some(known) => known.retries = Some(0),
            None => config.plan.overrides.push(HandlerOverride {
                handler,
                retries: Some(0),
                ..HandlerOverride::default()
            }),
        }
        // It is no worker that others should find.
        config.http = None;
    });
    Ok(Call {
        app,
        entry,
        key,
        body,
        content_type: arguments.body.content_type(),
        headers: arguments.headers.clone(),
    })
}

async fn perform(call: Call) -> Result<Called, Error> {
    let Call { app, entry, key, body, content_type, headers } = call;
    let broker = EmbeddedBroker::new();
    let bus = app.embedded(&broker).start().await?;
    let started = crate::seam::now();
    let mut publish = bus.publish_raw(&entry.exchange, &key, body).content_type(content_type);
    if let Some(message) = entry.message {
        publish = publish.message_type(message.topic).header(header::VERSION, message.version);
    }
    for (name, value) in headers {
        publish = publish.header(name, value);
    }
    publish.await?;
    bus.settled().await?;
    let took = started.elapsed();
    let letters = bus.dead_letters().list(&Selection::default(), 1).await?.letters;
    bus.shutdown().await;
    let problem = letters.first().map(|letter| {
        let error = letter.error.clone().unwrap_or_default();
        (letter.reason.clone(), error)
    });
    Ok(Called { handler: entry.name.clone(), key, problem, took })
}
