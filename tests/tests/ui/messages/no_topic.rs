//! An event without a topic.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event]
struct OrderPlaced;

fn main() {}
