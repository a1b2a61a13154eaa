//! A message with two topics.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("order.placed", "order.made")]
struct OrderPlaced;

fn main() {}
