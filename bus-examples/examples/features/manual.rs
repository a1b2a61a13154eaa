//! Acknowledged early, and a hook that hears of failed attempts.

use std::sync::atomic::{AtomicU32, Ordering};

use bus_runtime::prelude::*;
use bus_runtime::{HandlerError, Metadata, Settle};

static ALARMS: AtomicU32 = AtomicU32::new(0);

fn alarm(_error: &HandlerError, _message: &Metadata) {
    ALARMS.fetch_add(1, Ordering::Relaxed);
}

#[react("film.#", ack = "manual", error_hook = alarm, retry = "none")]
async fn encode(film: Json<String>, settle: Settle) -> Result<(), BoxError> {
    if film.is_empty() { Err("an empty film".into()) } else { Ok(settle.ack().await?) }
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn an_empty_film_rings_the_alarm(bus: TestBus) {
    bus.react("film.1", "alien").await;
    bus.react("film.2", "").await;
    bus.settled().await;
    assert_eq!((bus.dead_letters().one().error(), ALARMS.load(Ordering::Relaxed)), ("an empty film", 1));
}
