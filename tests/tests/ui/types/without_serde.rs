//! A message that cannot travel.

use bus_runtime::prelude::*;

#[derive(Message)]
#[event("order.placed")]
struct OrderPlaced;

fn main() {}
