//! A capture in a topic.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("order.{id}.placed")]
struct OrderPlaced;

fn main() {}
