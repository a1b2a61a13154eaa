//! A priority that AMQP does not have.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("order.placed", priority = 256)]
struct OrderPlaced;

fn main() {}
