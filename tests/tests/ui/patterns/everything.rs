//! A key that receives everything is a warning.

#![deny(warnings)]

use bus_runtime::prelude::*;

#[react("#")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
