//! A wildcard in a topic.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("order.*")]
struct OrderPlaced;

fn main() {}
