//! An argument of one message where there are many.

use bus_runtime::prelude::*;

#[react("page.viewed", batch(size = 100))]
async fn count(_view: Json) {}

fn main() {}
