//! A command in batches: nobody could be answered.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[command("page.count", reply = u64)]
struct Count {
    page: String,
}

#[message_handler(Count, batch(size = 100))]
async fn count(_counts: Vec<Count>) -> Result<u64, BoxError> {
    Ok(1)
}

fn main() {}
