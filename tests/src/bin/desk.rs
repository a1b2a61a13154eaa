//! A program with one handler of each kind, for the tests of the command line. Its settings come from outside.

use std::process::ExitCode;

use bus_runtime::Config;
use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

/// An order came in.
#[derive(Serialize, Deserialize, schemars::JsonSchema, Message)]
#[event("order.placed", version = 2)]
struct OrderPlaced {
    id: u64,
    note: Option<String>,
    lines: Vec<Line>,
}

#[derive(Serialize, Deserialize, schemars::JsonSchema)]
struct Line {
    article: String,
    count: u32,
}

/// Answers with the sum of two numbers.
#[derive(Serialize, Deserialize, Message)]
#[command("sum", reply = i64)]
struct Sum {
    left: i64,
    right: i64,
}

/// Packs what was ordered.
///
/// An order without lines is refused.
#[message_handler(OrderPlaced, timeout = 20, retry(max = 2), concurrency = 2)]
async fn pack(order: OrderPlaced) -> Result<(), String> {
    match order.lines.is_empty() {
        true => Err(format!("order {} has no lines", order.id)),
        false => Ok(()),
    }
}

#[message_handler(Sum)]
async fn sum(sum: Sum) -> Result<i64, String> {
    sum.left.checked_add(sum.right).ok_or_else(|| "that is too much".to_owned())
}

/// Hears of every page.
#[react("page.{page}.saved", queue = "pages", retry = "none")]
async fn index(page: String, data: Json) -> Result<(), String> {
    if page == "slow" {
        std::future::pending::<()>().await;
    }
    match data.is_null() {
        true => Err(format!("page {page} is empty")),
        false => Ok(()),
    }
}

#[audit("page.#", max_length = 1000)]
async fn check(key: RoutingKey) -> Outcome {
    match key.ends_with("secret") {
        true => reject("nobody may"),
        false => ack(),
    }
}

bus_runtime::publishes! {
    react: "page.{page}.saved";
    pack => audit: "page.packed";
}

fn main() -> ExitCode {
    let app = bus_runtime::app().name("desk").version("1.2.3");
    if std::env::var_os("DESK_NESTED").is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        return runtime.block_on(async { app.run() });
    }
    // Tests share a broker.
    let Some(prefix) = std::env::var_os("DESK_PREFIX") else {
        return app.grace(Duration::from_secs(7)).run();
    };
    match Config::from_env() {
        Ok(mut config) => {
            config.plan.prefix = prefix.to_string_lossy().into_owned();
            app.config(config).run()
        }
        Err(_) => ExitCode::FAILURE,
    }
}
