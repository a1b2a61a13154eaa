//! `batch` without the number of messages.

use bus_runtime::prelude::*;

#[react("page.viewed", batch(wait = "1s"))]
async fn count(_views: Vec<Json>) {}

fn main() {}
