//! An event that answers.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("order.placed", reply = u64)]
struct OrderPlaced;

fn main() {}
