//! `batch` as a number.

use bus_runtime::prelude::*;

#[react("page.viewed", batch = 100)]
async fn count(_views: Vec<Json>) {}

fn main() {}
