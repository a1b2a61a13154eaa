//! A type where a key belongs.

use bus_runtime::prelude::*;

struct PageEdited;

#[react(PageEdited)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
