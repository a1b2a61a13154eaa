//! A program whose handlers do what each message says, for tests that stop it, kill it and starve it.
//!
//! It says on stdout what it does, a line each: `begun 7 1` (message, attempt), `ended 7`. What comes in on stdin, a
//! JSON object a line, it publishes to itself, and says `published 7`.

use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::time::Duration;

use bus_runtime::prelude::*;
use bus_runtime::{Attempt, Config, Shutdown};
use serde::{Deserialize, Serialize};

/// What a handler is to do.
#[derive(Serialize, Deserialize, Message)]
#[event("order.obey")]
struct Order {
    id: u64,
    does: Deed,
    #[serde(default)]
    ms: u64,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Deed {
    /// Ends after `ms`.
    Ends,
    /// As `Ends`, and tells about it with a message.
    Tells,
    /// Fails after `ms`.
    Fails,
    /// Panics after `ms`.
    Panics,
    /// Never ends.
    Hangs,
    /// Holds the thread of the runtime for `ms`.
    Blocks,
    /// Wants to be called again after `ms`.
    Later,
    /// Ends when shutdown begins.
    Awaits,
    /// Ends the whole process, at once.
    Aborts,
}

#[derive(Serialize, Deserialize, Message)]
#[event("order.told", terminal)]
struct Told {
    id: u64,
}

/// The same, for a handler that takes many at once.
#[derive(Serialize, Deserialize, Message)]
#[event("order.horde")]
struct HordeOrder(Order);

/// The same, for a plain function.
#[derive(Serialize, Deserialize, Message)]
#[event("order.block")]
struct BlockingOrder {
    id: u64,
    ms: u64,
}

#[message_handler(
    Order,
    queue = "orders",
    concurrency = 4,
    prefetch = 16,
    timeout = "none",
    retry(max = 2, initial = "400ms", jitter = 0)
)]
async fn obey(
    order: Order,
    attempt: Attempt,
    shutdown: Shutdown,
    bus: Publisher,
) -> Result<Outcome, BoxError> {
    carry_out(order, attempt, shutdown, bus).await
}

#[message_handler(HordeOrder, queue = "horde", concurrency = 64, timeout = "none", retry = "none")]
async fn obey_in_hordes(
    HordeOrder(order): HordeOrder,
    attempt: Attempt,
    shutdown: Shutdown,
    bus: Publisher,
) -> Result<Outcome, BoxError> {
    carry_out(order, attempt, shutdown, bus).await
}

async fn carry_out(
    order: Order,
    attempt: Attempt,
    mut shutdown: Shutdown,
    bus: Publisher,
) -> Result<Outcome, BoxError> {
    let Order { id, does, ms } = order;
    say(&format!("begun {id} {attempt}"));
    tracing::info!(id, "carrying out");
    let time = Duration::from_millis(ms);
    match does {
        Deed::Hangs => std::future::pending().await,
        Deed::Blocks => std::thread::sleep(time),
        Deed::Awaits => shutdown.begins().await,
        Deed::Aborts => std::process::exit(101),
        Deed::Later => {}
        Deed::Ends | Deed::Tells | Deed::Fails | Deed::Panics => tokio::time::sleep(time).await,
    }
    match does {
        Deed::Later => return Ok(retry_later(time)),
        Deed::Fails => return Err("as ordered".into()),
        Deed::Panics => panic!("as ordered"),
        Deed::Tells => bus.publish(&Told { id }).await?,
        _ => {}
    }
    say(&format!("ended {id}"));
    Ok(ack())
}

#[message_handler(BlockingOrder, queue = "blocking", concurrency = 2, timeout = "500ms", retry = "none")]
fn block(order: BlockingOrder) {
    say(&format!("begun {} 1", order.id));
    std::thread::sleep(Duration::from_millis(order.ms));
    say(&format!("ended {}", order.id));
}

fn say(line: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{line}");
    let _ = stdout.flush();
}

/// Publishes what comes in on stdin, in its order, as soon as the app runs.
fn publish_stdin(handle: &tokio::runtime::Handle) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let publish = async {
            let order: Order = serde_json::from_str(&line).expect("an order");
            while order.publish().await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            say(&format!("published {}", order.id));
        };
        handle.block_on(publish);
    }
}

fn main() -> ExitCode {
    let mut config = Config::from_env().expect("a usable environment");
    if let Some(prefix) = std::env::var_os("PREFIX").and_then(|prefix| prefix.into_string().ok()) {
        config.plan.prefix = prefix;
    }
    let app = bus_runtime::app().name("obeys").config(config);
    app.setup(async |app| {
        let handle = tokio::runtime::Handle::current();
        std::thread::spawn(move || publish_stdin(&handle));
        Ok::<_, BoxError>(app)
    })
    .run()
}
