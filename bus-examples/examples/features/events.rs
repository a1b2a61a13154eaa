//! An event: a type with a topic, and any number of handlers.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("user.created")]
struct UserCreated {
    name: String,
}

#[message_handler(UserCreated)]
async fn welcome(user: UserCreated) {
    println!("welcome, {}", user.name);
}

#[message_handler(UserCreated)]
async fn count(_user: MessageOf<UserCreated>) {}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn each_handler_hears_of_it(bus: TestBus) {
    bus.publish(&UserCreated { name: "Ada".into() }).await;
    bus.settled().await;
    bus.handler(welcome).called_once();
    bus.handler(count).called_once();
}
