//! Another reply than the command promises.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[command("user.create", reply = u64)]
struct CreateUser;

#[message_handler(CreateUser)]
async fn create(_key: RoutingKey) -> Result<String, String> {
    Ok(String::new())
}

fn main() {}
