//! The metadata of another message.

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

#[message_handler(UserCreated)]
async fn on_user(message: MessageOf<UserDeleted>) {
    let _ = message;
}

fn main() {}
