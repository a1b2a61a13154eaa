//! One test on both brokers.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("brokers.indexed", terminal)]
struct Indexed;

#[react("brokers.{page}.edited", retry = "none")]
async fn index(page: String, bus: Publisher) -> Result<(), BoxError> {
    if page == "broken" {
        return Err("no such page".into());
    }
    bus.publish(&Indexed).await?;
    Ok(())
}

#[bus_runtime::test(on(embedded, rabbitmq), handlers("*brokers::*"))]
async fn h8_one_test_on_both_brokers(bus: TestBus<RealTime>) {
    bus.react("brokers.home.edited", &()).await;
    bus.react("brokers.broken.edited", &()).await;
    bus.settled().await;
    bus.handler(index).called(2);
    bus.published::<Indexed>().count(1);
    let letter = bus.dead_letters_of(index).one();
    assert_eq!((letter.error(), letter.routing_key()), ("no such page", "brokers.broken.edited"));
}

#[bus_runtime::test(on(embedded, rabbitmq), handlers("*brokers::*"))]
async fn h8_faults_of_handlers_are_there_on_both(bus: TestBus<RealTime>) -> Result<(), BoxError> {
    bus.handler(index).panics().times(1);
    bus.react("brokers.home.edited", &()).await;
    bus.settled().await;
    bus.handler(index).panicked(1);
    bus.dead_letters().count(1);
    Ok(())
}
