//! One type in two attributes.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("user.created")]
struct UserCreated {
    user_id: u64,
}

#[message_handler(UserCreated)]
#[message_handler(UserCreated)]
async fn on_user(_key: RoutingKey) {}

fn main() {}
