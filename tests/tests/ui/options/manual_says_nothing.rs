//! A handler that has to acknowledge its messages and never does.

use bus_runtime::prelude::*;

#[react("wiki.#", ack = "manual")]
async fn on_wiki(_key: RoutingKey) -> Result<(), BoxError> {
    Ok(())
}

#[audit("wiki.#", auto_ack = false)]
async fn on_audit() {}

#[audit("wiki.#", ack = "manual")]
async fn fine(settle: Settle) -> Result<(), BoxError> {
    settle.ack().await?;
    Ok(())
}

fn main() {}
