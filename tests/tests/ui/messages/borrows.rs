//! A message that borrows.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("order.placed")]
struct OrderPlaced<'a> {
    id: &'a str,
}

fn main() {}
