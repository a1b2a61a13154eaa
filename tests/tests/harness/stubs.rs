//! What is not there in a test.

use bus_runtime::prelude::*;
use bus_runtime::{App, CommandFailure};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[command("stubs.tax", reply = u64)]
struct TaxOf(u64);

/// Its handler lives elsewhere.
#[derive(Serialize, Deserialize, Message)]
#[command("stubs.rate", reply = f64)]
struct RateOf {
    currency: String,
}

struct Mailer {
    kind: &'static str,
}

#[message_handler(TaxOf)]
async fn tax(TaxOf(price): TaxOf) -> Result<u64, BoxError> {
    Ok(price / 5)
}

#[react("stubs.paid")]
async fn invoice(price: Json<u64>, bus: Publisher) -> Result<(), BoxError> {
    let tax = bus.execute(TaxOf(price.0)).await?;
    bus.react("stubs.invoice", &tax).await?;
    Ok(())
}

#[react("stubs.mail", retry = "none")]
async fn mail(mailer: State<Mailer>) -> Result<(), String> {
    if mailer.kind == "test" { Ok(()) } else { Err("this sends a real mail".into()) }
}

fn app() -> App {
    bus_runtime::app().setup(async |app| Ok::<_, BoxError>(app.state(Mailer { kind: "real" })))
}

fn with_mailer_of_the_test() -> App {
    app().override_state(Mailer { kind: "test" })
}

#[bus_runtime::test(app = with_mailer_of_the_test)]
async fn h6_state_of_the_test_wins(bus: TestBus, mailer: State<Mailer>) {
    assert_eq!(mailer.kind, "test");
    bus.react("stubs.mail", &()).await;
    bus.settled().await;
    bus.no_failures();
}

#[bus_runtime::test(app = app)]
async fn h6_a_stub_is_called_instead(bus: TestBus) -> Result<(), BoxError> {
    bus.handler(mail)
        .stub(|delivery| if delivery.metadata().attempt() == 1 { ack() } else { reject("why again?") });
    bus.react("stubs.mail", &()).await;
    bus.settled().await;
    bus.handler(mail).handled(1);
    bus.no_failures();
    Ok(())
}

#[bus_runtime::test(app = app)]
async fn h6_a_command_of_this_app_is_answered_by_a_stub(bus: TestBus) {
    bus.stub_command(|TaxOf(price)| Ok(price * 2)).await;
    bus.react("stubs.paid", &10).await;
    bus.settled().await;
    assert_eq!(bus.published_to("stubs.invoice").one().json::<u64>(), 20);
    bus.handler(tax).called_once();
}

#[bus_runtime::test(app = app)]
async fn h6_a_command_of_another_program_is_answered_over_the_broker(bus: TestBus) {
    let euro = || RateOf { currency: "EUR".into() };
    let error = bus.execute(euro()).await.unwrap_err();
    assert_eq!(error.kind(), bus_runtime::ErrorKind::Unroutable);
    bus.stub_command(|rate: RateOf| match rate.currency.as_str() {
        "EUR" => Ok(1.5),
        other => Err(format!("no rate of {other}").into()),
    })
    .await;
    assert!((bus.execute(euro()).await.unwrap() - 1.5).abs() < f64::EPSILON);
    let error = bus.execute(RateOf { currency: "XXX".into() }).await.unwrap_err();
    assert_eq!(CommandFailure::of(&error).map(CommandFailure::error), Some("no rate of XXX"));
    bus.settled().await;
    bus.published::<RateOf>().count(3);
    assert!(bus.timeline().contains("#2   replied"), "{bus:?}");
}

#[bus_runtime::test(app = app)]
async fn h6_faults_come_before_stubs(bus: TestBus) {
    bus.handler(mail).stub(|_| ());
    bus.handler(mail).fails_with("the mail server is away").times(1);
    bus.react("stubs.mail", &()).await;
    bus.react("stubs.mail", &()).await;
    bus.settled().await;
    bus.handler(mail).failed(1);
    bus.handler(mail).handled(1);
}

#[bus_runtime::test]
async fn a_test_that_takes_nothing_has_a_runtime_all_the_same() {
    let began = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert!(began.elapsed() >= Duration::from_secs(3_600));
}

#[bus_runtime::test]
#[should_panic(expected = "the test has failed: \"as it should\"")]
async fn an_error_fails_a_test() -> Result<(), &'static str> {
    Err("as it should")
}
