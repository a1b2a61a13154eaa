//! A topic behind an equals sign.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event = "order.placed"]
struct OrderPlaced;

fn main() {}
