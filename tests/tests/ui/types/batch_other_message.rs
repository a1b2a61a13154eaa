//! A batch of another message than that of the attribute.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("page.viewed")]
struct Viewed {
    page: String,
}

#[derive(Serialize, Deserialize, Message)]
#[event("page.edited")]
struct Edited {
    page: String,
}

#[message_handler(Viewed, batch(size = 100))]
async fn count(_edits: Vec<Edited>) {}

fn main() {}
