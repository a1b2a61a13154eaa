//! What a test says that fails, and what a snapshot holds.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

use crate::refused;

#[derive(Serialize, Deserialize, Message)]
#[event("explaining.saved", terminal)]
struct Saved;

/// Its binding key has one word too few.
#[react("explaining.*")]
async fn on_page() {}

#[react("explaining.{page}.pay", retry(max = 1, initial = "2s", jitter = 0.5))]
async fn pay(page: String, bus: Publisher) -> Result<(), BoxError> {
    bus.publish(&Saved).await?;
    if page == "broken" { Err("the bank is closed".into()) } else { Ok(()) }
}

#[bus_runtime::test(handlers("*explaining::*"))]
async fn h5_a_wrong_binding_is_explained(bus: TestBus) {
    bus.react("explaining.home.edited", &()).await;
    bus.publish(&Saved).await;
    bus.settled().await;
    let told = refused(|| bus.handler(on_page).called_once());
    assert_eq!(
        told,
        "harness::explaining::on_page was called 0 times, not once
harness::explaining::on_page binds `explaining.*` on `react`:
  #1  react: explaining.home.edited  is not `explaining.*`: the binding key needs exactly 2 words, but the routing key has 3
  #2  messages: explaining.saved  was published on `messages`, not on `react`
until now:
     0.000 s  #1   unroutable  react: explaining.home.edited
     0.000 s  #2   unroutable  messages: explaining.saved
"
    );
}

#[bus_runtime::test(handlers("*explaining::*"))]
async fn h5_a_timeline_is_the_same_on_each_run(bus: TestBus) {
    bus.react("explaining.home.pay", &()).await;
    bus.settled().await;
    bus.react("explaining.broken.pay", &()).await;
    bus.advance(Duration::from_secs(10)).await;
    assert_eq!(
        bus.timeline(),
        "     0.000 s  #1   published   react: explaining.home.pay
     0.000 s  #1   called      harness::explaining::pay
     0.000 s  #2   unroutable  messages: explaining.saved
     0.000 s  #1   handled     harness::explaining::pay
     0.000 s  #3   published   react: explaining.broken.pay
     0.000 s  #3   called      harness::explaining::pay
     0.000 s  #3   failed      harness::explaining::pay: the bank is closed
     0.000 s  #3   delayed     harness::explaining::pay, attempt 2 in 2000 ms
     2.000 s  #3   called      harness::explaining::pay, attempt 2
     2.000 s  #3   failed      harness::explaining::pay, attempt 2: the bank is closed
     2.000 s  #3   dead letter harness::explaining::pay: the bank is closed (failed)
"
    );
}

#[bus_runtime::test(handlers("*explaining::pay"))]
async fn h5_the_topology_is_the_same_on_each_run(bus: TestBus) {
    let topology = bus.topology();
    let of_pay: Vec<_> = topology.lines().filter(|line| line.contains("explaining.pay.react")).collect();
    assert_eq!(
        of_pay,
        [
            "queue     harness.explaining.pay.react  dead-letter-exchange= \
             dead-letter-routing-key=harness.explaining.pay.react.dead dead-letter-strategy=at-least-once \
             delivery-limit=100 overflow=reject-publish queue-type=quorum",
            "queue     harness.explaining.pay.react.dead  delivery-limit=2147483648 overflow=reject-publish \
             queue-type=quorum",
            "binding   react  explaining.*.pay  to harness.explaining.pay.react",
        ]
    );
}
