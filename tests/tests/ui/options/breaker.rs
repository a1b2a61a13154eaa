//! Settings of a breaker that are wrong, and a rate that is none.

use bus_runtime::prelude::*;

#[react("wiki.#", breaker(failures = 0, windw = "1m", reset_timeout = "30s"))]
async fn wrong(_key: RoutingKey) {}

#[react("wiki.#", breaker = 5, rate_limit = "fast")]
async fn wrong_too(_key: RoutingKey) {}

#[react("wiki.#", breaker(), rate_limit = 100)]
async fn empty(_key: RoutingKey) {}

fn main() {}
