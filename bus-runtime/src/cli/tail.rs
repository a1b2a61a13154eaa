//! `tail`: a copy of what is published, as it happens. Nobody's messages are consumed.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::clean::clean;
use super::{Output, block_on, queues, report, run};
use crate::app::App;
use crate::binding_key::BindingKey;
use crate::copies::rfc3339;
use crate::envelope::{Envelope, HeaderValue};
use crate::error::{Error, ErrorKind};
use crate::expression::{Expression, Field, Subject, Value as Found};
use crate::names::{ExchangeName, QueueName};
use crate::seam;
use crate::topology::{Binding, Destination, Overflow, Plan, Queue, QueueType, Topology};
use crate::transport::{ConsumeOptions, Transport, Verdict};

/// Options of `tail`.
#[derive(Args, Clone, Debug)]
pub struct TailArgs {
    /// Only messages whose routing key this matches: wiki.#
    #[arg(default_value = "#")]
    pattern: String,
    /// Only what is published on this exchange, as often as you like; all that the handlers are bound to without it
    #[arg(short, long, value_name = "EXCHANGE")]
    exchange: Vec<String>,
    /// End after so many
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<u64>,
    /// Show the headers
    #[arg(long)]
    headers: bool,
    /// Show the body
    #[arg(long)]
    body: bool,
    /// Only those of which this is true: 'type=order.placed && size>1000'. Fields are exchange, key, type, id, app, body, size and
    /// header.NAME
    #[arg(long = "where", value_name = "EXPRESSION")]
    expression: Option<String>,
}

/// What waits here when the terminal is slower than the publishers; older messages are left out then.
const WAITING_MAX: u64 = 10_000;
/// Messages that the broker hands out ahead.
const PREFETCH: u16 = 200;

const FIELDS: [Field; 8] = [
    Field::text("exchange"),
    Field::text("key"),
    Field::text("type"),
    Field::text("id"),
    Field::text("app"),
    Field::text("body"),
    Field::number("size"),
    Field::text("header."),
];

pub(super) fn tail(app: &App, arguments: &TailArgs, format: Output) -> ExitCode {
    let plan = match app.plan() {
        Ok(plan) => plan,
        Err(errors) => return report::failed(&errors),
    };
    let done = queues::is_remote(app, "tail").and_then(|()| {
        let expression = arguments
            .expression
            .as_deref()
            .map(|text| Expression::parse(text, &FIELDS))
            .transpose()
            .map_err(|error| Error::new(ErrorKind::InvalidName, format!("--where: {error}")))?;
        let prefix = app.settings()?.plan.prefix;
        block_on(async {
            let transport = app.connect_only().await?;
            let told = tokio::select! {
                told = follow(&*transport, &plan, &prefix, arguments, expression.as_ref(), format) => told,
                // Whoever has seen enough ends it so.
                _ = tokio::signal::ctrl_c() => Ok(()),
            };
            transport.close(run::CLOSE_TIMEOUT).await;
            told
        })?
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::failed(&[error]),
    }
}

async fn follow(
    transport: &dyn Transport,
    plan: &Plan,
    prefix: &str,
    arguments: &TailArgs,
    expression: Option<&Expression>,
    format: Output,
) -> Result<(), Error> {
    let key = BindingKey::parse(arguments.pattern.as_str()).map_err(|error| {
        Error::new(ErrorKind::InvalidName, format!("`{}` is no pattern of routing keys", arguments.pattern))
            .with_source(error)
    })?;
    let exchanges = exchanges(transport, plan, prefix, &arguments.exchange).await?;
    let queue = QueueName::new(format!("{prefix}tail.{}", seam::message_id()))?;
    transport.declare(&topology(&queue, &exchanges, &key)).await?;
    let tag = queue.to_string();
    let mut consumer = transport.consume(&queue, ConsumeOptions { prefetch: PREFETCH, tag }).await?;
    let names: Vec<_> = exchanges.iter().map(ExchangeName::as_str).collect();
    report::note(&format!("{} on {}; Ctrl-C ends", arguments.pattern, names.join(", ")));
    let mut left = arguments.count.unwrap_or(u64::MAX);
    while left > 0 {
        let incoming = match std::future::poll_fn(|cx| consumer.poll_next(cx)).await {
            None => break,
            Some(Ok(incoming)) => incoming,
            // The transport comes back by itself; what was published meanwhile was not seen.
            Some(Err(error)) => {
                report::warning(&error.to_string());
                continue;
            }
        };
        let envelope = incoming.envelope;
        // It is a copy: when the connection is gone, so is the queue.
        let _ = incoming.settler.settle(Verdict::Ack);
        let seen = Seen { envelope: &envelope, body: String::from_utf8_lossy(&envelope.body) };
        if expression.is_some_and(|expression| !expression.matches(&seen)) {
            continue;
        }
        left -= 1;
        let text = match format {
            Output::Table => seen.told(arguments),
            Output::Json | Output::Jsonl => format!("{}\n", seen.value(arguments)),
        };
        if !report::goes_on(&text) {
            break;
        }
    }
    consumer.close(run::CLOSE_TIMEOUT).await;
    transport.delete_queue(&queue).await
}

/// The exchanges that are listened to, as far as they exist.
async fn exchanges(
    transport: &dyn Transport,
    plan: &Plan,
    prefix: &str,
    wanted: &[String],
) -> Result<Vec<ExchangeName>, Error> {
    let asked: BTreeSet<String> = match wanted.is_empty() {
        true => plan.handlers.iter().map(|entry| entry.exchange.to_string()).collect(),
        false => wanted.iter().map(|name| format!("{prefix}{name}")).collect(),
    };
    let mut found = Vec::new();
    for name in &asked {
        let exchange = ExchangeName::new(name.clone())?;
        if transport.has_exchange(&exchange).await? {
            found.push(exchange);
        } else if !wanted.is_empty() {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("exchange `{name}` does not exist on the broker"),
            ));
        }
    }
    if found.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "none of the program's exchanges exist on the broker")
            .with_help("they are declared by `setup`, or when the program runs; -e names another one"));
    }
    Ok(found)
}

/// A queue that is ours alone and goes with the connection.
fn topology(queue: &QueueName, exchanges: &[ExchangeName], key: &BindingKey) -> Topology {
    let mut declaration = Queue::durable(queue.clone(), QueueType::Classic);
    declaration.durable = false;
    declaration.exclusive = true;
    declaration.auto_delete = true;
    declaration.arguments.max_length = Some(WAITING_MAX);
    declaration.arguments.overflow = Some(Overflow::DropHead);
    let bind = |exchange: &ExchangeName| Binding {
        exchange: exchange.clone(),
        destination: Destination::Queue(queue.clone()),
        key: key.clone(),
    };
    Topology {
        exchanges: Vec::new(),
        queues: vec![declaration],
        bindings: exchanges.iter().map(bind).collect(),
    }
}

/// A message that went by.
struct Seen<'e> {
    envelope: &'e Envelope,
    body: Cow<'e, str>,
}

impl Subject for Seen<'_> {
    fn field(&self, name: &str) -> Option<Found<'_>> {
        let Envelope { exchange, routing_key, properties, headers, body } = self.envelope;
        let text = |text: &'_ str| Some(Found::Text(Cow::Owned(text.to_owned())));
        match name {
            "exchange" => text(exchange.as_str()),
            "key" => text(routing_key.as_str()),
            "type" => properties.message_type.as_deref().and_then(text),
            "id" => properties.message_id.as_deref().and_then(text),
            "app" => properties.app_id.as_deref().and_then(text),
            "body" => Some(Found::Text(Cow::Borrowed(&self.body))),
            "size" => Some(Found::Number(body.len() as f64)),
            _ => headers.get(name.strip_prefix("header.")?).map(|value| Found::Text(shown(value).into())),
        }
    }
}

impl Seen<'_> {
    /// One line, then headers and body further to the right.
    fn told(&self, arguments: &TailArgs) -> String {
        let Envelope { exchange, routing_key, properties, headers, body } = self.envelope;
        let at = rfc3339(seam::wall_clock());
        let mut text = format!("{at}  {exchange}  {}  {} bytes", clean(routing_key), body.len());
        for (name, value) in
            [("type", &properties.message_type), ("app", &properties.app_id), ("id", &properties.message_id)]
        {
            if let Some(value) = value {
                text.push_str(&format!("  {name}={}", clean(value)));
            }
        }
        text.push('\n');
        if arguments.headers {
            for (name, value) in headers.iter() {
                text.push_str(&format!("    {}: {}\n", clean(name), clean(&shown(value))));
            }
        }
        if arguments.body {
            let pretty = serde_json::from_slice::<Value>(body).map(|value| format!("{value:#}"));
            for line in pretty.as_deref().unwrap_or(&self.body).lines() {
                text.push_str(&format!("    {}\n", clean(line)));
            }
        }
        text
    }

    fn value(&self, arguments: &TailArgs) -> Value {
        let Envelope { exchange, routing_key, properties, headers, body } = self.envelope;
        let mut value = json!({
            "at": rfc3339(seam::wall_clock()),
            "exchange": exchange.as_str(),
            "key": routing_key.as_str(),
            "type": properties.message_type,
            "id": properties.message_id,
            "app": properties.app_id,
            "size": body.len(),
        });
        if arguments.headers {
            let headers = headers.iter().map(|(name, value)| (name.to_owned(), json!(shown(value))));
            value["headers"] = Value::Object(headers.collect());
        }
        if arguments.body {
            value["body"] = serde_json::from_slice(body).unwrap_or_else(|_| json!(self.body));
        }
        value
    }
}

fn shown(value: &HeaderValue) -> String {
    value.to_string()
}
