//! A handler of what is no message.

use bus_runtime::prelude::*;

struct NotAMessage;

#[message_handler(NotAMessage)]
async fn on_user(_key: RoutingKey) {}

fn main() {}
