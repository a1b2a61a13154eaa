//! One option under two names.

use bus_runtime::prelude::*;

#[react("wiki.#", on_error = "retry", nack_on_exception = true)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
