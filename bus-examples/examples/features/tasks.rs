//! A task: exactly one handler, whose outcome says what becomes of the message.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[task("invoice.send")]
struct SendInvoice {
    order: u64,
}

#[message_handler(SendInvoice, timeout = "10s")]
async fn send(invoice: MessageOf<SendInvoice>) -> Outcome {
    match invoice.payload().order {
        0 => reject("there is no order 0"),
        _ => ack(),
    }
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn a_rejected_task_is_a_dead_letter(bus: TestBus) {
    bus.publish(&SendInvoice { order: 0 }).await;
    bus.publish(&SendInvoice { order: 7 }).await;
    bus.settled().await;
    bus.handler(send).called(2);
    assert_eq!(bus.dead_letters().one().error(), "there is no order 0");
}
