//! A task that nobody needs to do.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[task("order.place", terminal)]
struct PlaceOrder;

fn main() {}
