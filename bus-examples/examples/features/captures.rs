//! A word of the routing key as a typed argument.

use bus_runtime::prelude::*;

#[react("chapter.{number}.read")]
async fn on_read(number: u8, by: Json<String>) -> Result<(), String> {
    if number == 0 { Err(format!("{} has read nothing", *by)) } else { Ok(()) }
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn a_word_that_is_no_number_is_a_dead_letter(bus: TestBus) {
    bus.react("chapter.12.read", &"Ada").await;
    bus.react("chapter.last.read", &"Ada").await;
    bus.settled().await;
    bus.handler(on_read).called(2);
    assert_eq!(bus.dead_letters().one().reason(), "routing");
}
