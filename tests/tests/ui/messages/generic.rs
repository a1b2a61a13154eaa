//! A message of many types.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("order.placed")]
struct OrderPlaced<T> {
    id: T,
}

fn main() {}
