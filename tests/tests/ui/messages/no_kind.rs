//! A message without a kind.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
struct OrderPlaced;

fn main() {}
