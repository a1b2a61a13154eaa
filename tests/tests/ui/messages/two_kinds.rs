//! An event that is a task.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("order.placed")]
#[task("order.place")]
struct OrderPlaced;

fn main() {}
