//! The kind as an option.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("order.placed", kind = "task")]
struct OrderPlaced;

fn main() {}
