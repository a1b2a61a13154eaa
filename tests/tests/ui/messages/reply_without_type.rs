//! A command without the type of its reply.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[command("order.place", reply)]
struct PlaceOrder;

fn main() {}
