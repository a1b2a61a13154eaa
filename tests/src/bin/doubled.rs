//! A program that cannot start: two handlers of one task, and one queue with different settings. For the errors of the start.

use std::process::ExitCode;

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[task("billing.invoice.send")]
struct SendInvoice {
    order: u64,
}

#[message_handler(SendInvoice, timeout = 30)]
async fn send(invoice: SendInvoice) -> Outcome {
    if invoice.order == 0 { reject("no order") } else { ack() }
}

#[message_handler(SendInvoice)]
async fn archive(_invoice: SendInvoice) {}

struct Wiki;

#[controller]
impl Wiki {
    #[react("wiki.#", queue = "pages", max_length = 10)]
    async fn index() {}

    #[react("wiki.*.deleted", queue = "pages", max_length = 20)]
    async fn forget() {}
}

fn main() -> ExitCode {
    bus_runtime::run()
}
