//! A misspelt option.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("order.placed", versoin = 2)]
struct OrderPlaced;

fn main() {}
