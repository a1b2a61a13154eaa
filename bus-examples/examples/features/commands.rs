//! A command: its reply goes back to the caller, and so does its error.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[command("number.half", reply = u64)]
struct Half(u64);

#[message_handler(Half)]
async fn half(Half(number): Half) -> Result<u64, String> {
    if number % 2 == 0 { Ok(number / 2) } else { Err(format!("{number} is odd")) }
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn the_caller_gets_the_reply_or_the_error(bus: TestBus) {
    assert_eq!(bus.execute(Half(42)).await.ok(), Some(21));
    let error = bus.execute(Half(7)).await.expect_err("7 has no half");
    assert_eq!(error.kind(), bus_runtime::ErrorKind::CommandFailed);
    bus.handler(half).called(2);
}
