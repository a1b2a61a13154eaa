//! `publish`: send a message by hand.

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use futures_util::StreamExt;

use super::progress::Meter;
use super::{block_on, report};
use crate::app::{App, Bus};
use crate::envelope::header;
use crate::error::{Error, ErrorKind};
use crate::message::MessageType;
use crate::publish::Publish;
use crate::topology::Plan;

/// Options of `publish`.
#[derive(Args, Clone, Debug)]
pub struct PublishArgs {
    /// A routing key such as wiki.page.saved, or the name of a message type such as UserCreated
    #[arg(value_name = "KEY|TYPE")]
    subject: String,
    #[command(flatten)]
    body: BodyArgs,
    /// The exchange; found by itself when only one has a handler for the key
    #[arg(short, long, value_name = "EXCHANGE")]
    exchange: Option<String>,
    /// A header, as often as you like
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = name_and_value)]
    headers: Vec<(String, String)>,
    /// So many times
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// At most so many a second: 50/s, or 30/m
    #[arg(long, value_name = "RATE", value_parser = super::rate)]
    rate: Option<f64>,
    /// Handled after this time and not before
    #[arg(long, value_name = "TIME", value_parser = super::duration)]
    delay: Option<Duration>,
    /// Only tell where it would go, and who would receive it; no broker is asked
    #[arg(long)]
    dry_run: bool,
}

/// A body on the command line.
#[derive(Args, Clone, Debug)]
pub(super) struct BodyArgs {
    /// The body as JSON, @FILE to read it from a file, or - for standard input; without one, null
    #[arg(value_name = "BODY|@FILE|-", allow_hyphen_values = true)]
    body: Option<String>,
    /// The content type of a body that is not JSON, which is then sent as it is
    #[arg(long, value_name = "MIME")]
    content_type: Option<String>,
}

pub(super) fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("say NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Where a message goes.
struct Target {
    exchange: String,
    key: String,
    message: Option<MessageType>,
}

pub(super) fn publish(app: App, arguments: PublishArgs) -> ExitCode {
    let result = app.plan().map_err(|mut errors| errors.swap_remove(0)).and_then(|plan| {
        let settings = app.settings()?.plan;
        let target = target(&plan, &arguments, &settings)?;
        let body = arguments.body.read()?;
        if arguments.dry_run {
            return Ok(receivers(&plan, &target));
        }
        block_on(send(app, arguments, target, body))?
    });
    match result {
        Ok(text) => report::print(&text),
        Err(error) => report::failed(&[error]),
    }
}

/// Finds the exchange: by name of the message type, as asked for, or by who would receive the key.
fn target(
    plan: &Plan,
    arguments: &PublishArgs,
    settings: &crate::topology::PlanSettings,
) -> Result<Target, Error> {
    let subject = &arguments.subject;
    let mut messages = plan.handlers.iter().filter_map(|entry| Some((entry.message?, &entry.exchange)));
    if let Some((message, exchange)) =
        messages.find(|(message, _)| message.short_name() == subject || message.topic == subject)
    {
        let exchange = arguments.exchange.clone().unwrap_or_else(|| exchange.to_string());
        return Ok(Target { exchange, key: message.topic.to_owned(), message: Some(message) });
    }
    let to = |exchange: &str| Target { exchange: exchange.to_owned(), key: subject.clone(), message: None };
    if let Some(exchange) = &arguments.exchange {
        // The default exchange is one for all; it takes the name of a queue as the routing key.
        let prefix = if exchange.is_empty() { "" } else { &settings.prefix };
        return Ok(to(&format!("{prefix}{exchange}")));
    }
    let mut exchanges: Vec<&str> = plan
        .handlers
        .iter()
        .filter(|entry| entry.wants(&entry.exchange, subject, None))
        .map(|entry| entry.exchange.as_str())
        .collect();
    exchanges.sort_unstable();
    exchanges.dedup();
    match exchanges.as_slice() {
        [one] => Ok(to(one)),
        [] => {
            Err(Error::new(ErrorKind::Unroutable, format!("no handler of this program receives `{subject}`"))
                .with_help(
                    "name the exchange with -e; `handlers explain <KEY>` tells why nobody receives it",
                ))
        }
        several => Err(Error::new(
            ErrorKind::InvalidName,
            format!("`{subject}` is received on {}", several.join(" and ")),
        )
        .with_help("choose the exchange with -e")),
    }
}

/// A text of the command line, or what stands in the file behind `@`, or on standard input for `-`.
pub(super) fn bytes_of(text: &str) -> Result<Vec<u8>, Error> {
    let unreadable = |what: &str, error| {
        Error::new(ErrorKind::Codec, format!("can't read the body from {what}")).with_source(error)
    };
    if text == "-" {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        return read.map(|_| bytes).map_err(|error| unreadable("standard input", error));
    }
    match text.strip_prefix('@') {
        Some(path) => std::fs::read(path).map_err(|error| unreadable(path, error)),
        None => Ok(text.as_bytes().to_vec()),
    }
}

impl BodyArgs {
    /// The body as bytes; JSON is checked here, so that a slip of the keyboard is no dead letter.
    pub(super) fn read(&self) -> Result<Vec<u8>, Error> {
        let bytes = self.body.as_deref().map_or_else(|| Ok(b"null".to_vec()), bytes_of)?;
        if self.content_type.is_none() {
            serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).map_err(|error| {
                Error::new(ErrorKind::Codec, format!("the body is not JSON: {error}"))
                    .with_help("quote it for the shell: '{\"page\": \"home\"}'; a text is '\"text\"'; other formats need --content-type")
            })?;
        }
        Ok(bytes)
    }

    /// The content type to send it with.
    pub(super) fn content_type(&self) -> String {
        self.content_type.clone().unwrap_or_else(|| "application/json".to_owned())
    }
}

/// Where a message would go, and which handlers of this program would receive it.
fn receivers(plan: &Plan, target: &Target) -> String {
    let mut text = format!("would publish {} on {}\n", target.key, target.exchange);
    let all = plan.handlers.iter().filter(|entry| entry.exchange.as_str() == target.exchange);
    for entry in all.filter(|entry| entry.wants(&entry.exchange, &target.key, None)) {
        text.push_str(&format!("  {} from {}\n", entry.name, entry.queue));
    }
    text
}

/// Sends it. The embedded broker lives in this process, so the handlers run here, too.
async fn send(app: App, arguments: PublishArgs, target: Target, body: Vec<u8>) -> Result<String, Error> {
    let embedded = app.is_embedded()?;
    let bus = if embedded { app.start().await? } else { app.publisher_only().await? };
    let sent = transmit(&bus, &arguments, &target, body).await;
    if embedded && sent.is_ok() {
        report::warning(
            "no BROKER_URL is set: the embedded broker lives in this process, so the handlers run here",
        );
        bus.settled().await?;
    }
    let stats = bus.stats();
    let left = bus.shutdown().await;
    sent?;
    let gone = left.lost + left.delayed;
    if gone > 0 {
        report::warning(&format!(
            "{} waited for another attempt, and ended with this process",
            report::count(gone, "message")
        ));
    }
    let times = if arguments.count > 1 { format!(" {} times", arguments.count) } else { String::new() };
    let mut text = format!("published {} on {}{times}\n", target.key, target.exchange);
    for handler in stats.handlers.iter().filter(|handler| handler.called > 0) {
        text.push_str(&format!(
            "  {}: handled {}, failed attempts {}, dead letters {}\n",
            handler.name, handler.handled, handler.failed, handler.dead_lettered
        ));
    }
    Ok(text)
}

/// Publishes that wait for their confirm at once.
const WINDOW: usize = 64;

async fn transmit(bus: &Bus, arguments: &PublishArgs, target: &Target, body: Vec<u8>) -> Result<(), Error> {
    let mut meter = Meter::new("publishing");
    let pause = arguments.rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
    let numbers = futures_util::stream::iter(0..arguments.count).then(|number| async move {
        if let Some(pause) = pause.filter(|_| number > 0) {
            crate::seam::sleep(pause).await;
        }
    });
    let body = Bytes::from(body);
    let publishing = numbers.map(|()| one(bus, arguments, target, body.clone()).into_future());
    let mut confirmed = std::pin::pin!(publishing.buffer_unordered(WINDOW));
    let mut done = 0;
    while let Some(confirmation) = confirmed.next().await {
        confirmation?;
        done += 1;
        meter.show(done, Some(arguments.count), "");
    }
    meter.end();
    Ok(())
}

fn one(bus: &Bus, arguments: &PublishArgs, target: &Target, body: Bytes) -> Publish {
    let mut publish =
        bus.publish_raw(&target.exchange, &target.key, body).content_type(arguments.body.content_type());
    if let Some(message) = target.message {
        publish = publish.message_type(message.topic).header(header::VERSION, message.version);
    }
    for (name, value) in &arguments.headers {
        publish = publish.header(name.clone(), value.clone());
    }
    match arguments.delay {
        Some(delay) => publish.after(delay),
        None => publish,
    }
}
