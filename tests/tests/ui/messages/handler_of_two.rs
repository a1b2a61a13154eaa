//! Two types in one attribute.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("user.created")]
struct UserCreated {
    user_id: u64,
}

#[derive(Serialize, Deserialize, Message)]
#[event("user.deleted")]
struct UserDeleted;

#[message_handler(UserCreated, UserDeleted)]
async fn on_user(_key: RoutingKey) {}

fn main() {}
