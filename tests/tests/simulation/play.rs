//! The handlers: what each call does is drawn when it is made.

use std::sync::Arc;
use std::time::Duration;

use bus_runtime::__private as bus;
use bus_runtime::transport::BoxFuture;
use bus_runtime::{
    Batch, BatchCall, BatchFn, BatchItem, BoxError, Delivery, FromDelivery, HandlerFn, IntoOutcome, Json,
    Metadata, Outcome, Outcomes, Publisher, Rejection, Settle, State, ack, header, reject, requeue, retry,
    retry_later,
};
use serde::{Deserialize, Serialize};

use crate::book::{End, Sender};
use crate::cast::{ROLES_MAX, TOPICS};
use crate::world::World;

/// With what handlers panic that are meant to.
pub(crate) const PLANNED: &str = "as it was meant to be";

/// Handlers of one message, by the number of their role.
pub(crate) const ONE: [HandlerFn; ROLES_MAX] = [one::<0>, one::<1>, one::<2>];
/// Handlers with the option `batch`.
pub(crate) const MANY: [BatchFn; ROLES_MAX] = [many::<0>, many::<1>, many::<2>];

/// The body of a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Body {
    pub(crate) id: usize,
    pub(crate) k: u8,
}

/// What the handlers of one process know.
pub(crate) struct Stage {
    pub(crate) world: Arc<World>,
    pub(crate) process: u32,
}

fn one<const ROLE: usize>(delivery: Delivery) -> BoxFuture<'static, Result<Outcome, Rejection>> {
    Box::pin(async move {
        let stage = State::<Stage>::from_delivery(&delivery)?;
        let Json(body) = Json::<Body>::from_delivery(&delivery)?;
        let (bus, settle) = (Publisher::from_delivery(&delivery)?, Settle::from_delivery(&delivery)?);
        let call = Acting::begin(&stage, ROLE, body.id, delivery.metadata());
        Ok(act(call, &bus, settle).await)
    })
}

/// What one message contributes to the arguments of a batch.
pub(crate) fn item(delivery: &Delivery) -> Result<Vec<BatchItem>, Rejection> {
    Ok(vec![bus::item::<Batch<Json<Body>>>(delivery)?, bus::item::<State<Stage>>(delivery)?])
}

fn many<const ROLE: usize>(mut batch: BatchCall) -> BoxFuture<'static, Result<Outcomes, Rejection>> {
    bus::boxed_batch(async move {
        let bodies = bus::arguments::<Batch<Json<Body>>>(&mut batch)?;
        let stage = bus::arguments::<State<Stage>>(&mut batch)?;
        let calls = bodies.outcomes(|body, metadata| Acting::begin(&stage, ROLE, body.id, metadata));
        bus::outcomes(act_together(&stage.world, calls).await)
    })
}

/// One outcome for each message, or one failure for all.
async fn act_together(world: &World, calls: Vec<Acting>) -> Result<Vec<Outcome>, BoxError> {
    tokio::time::sleep(world.work_time()).await;
    let die = if world.is_calm() { 0 } else { world.draw(|rng| rng.u8(..100)) };
    match die {
        70..80 => {
            calls.into_iter().for_each(|call| call.end(End::Failed));
            return Err("all of it went wrong".into());
        }
        80..85 => {
            calls.into_iter().for_each(|call| call.end(End::Failed));
            std::panic::panic_any(PLANNED);
        }
        85..92 => std::future::pending().await,
        _ => {}
    }
    let one = |call: Acting| match if die < 50 { 0 } else { world.draw(|rng| rng.u8(..4)) } {
        1 => {
            call.end(End::Reject);
            reject("not this one")
        }
        2 => fail(call, "it went wrong".into()),
        _ => {
            call.end(End::Done);
            ack()
        }
    };
    Ok(calls.into_iter().map(one).collect())
}

/// A call that goes on; when it is dropped, it was cut short.
struct Acting {
    world: Arc<World>,
    process: u32,
    role: usize,
    call: usize,
    ended: bool,
}

impl Acting {
    fn begin(stage: &Stage, role: usize, message: usize, metadata: &Metadata) -> Self {
        let Stage { world, process } = stage;
        let replays = metadata.headers().int(header::REPLAYS).unwrap_or_default();
        world.came_back(message, usize::try_from(replays).unwrap());
        let call = world.begin(*process, role, message, metadata.attempt());
        Self { world: Arc::clone(world), process: *process, role, call, ended: false }
    }

    fn end(mut self, how: End) {
        self.ended = true;
        self.world.end(self.call, how);
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        if !self.ended {
            let how = self.world.cut_short(self.process, self.role, self.call);
            self.world.end(self.call, how);
        }
    }
}

async fn act(call: Acting, bus: &Publisher, settle: Settle) -> Outcome {
    let world = Arc::clone(&call.world);
    tokio::time::sleep(world.work_time()).await;
    if world.is_calm() {
        call.end(End::Done);
        return ack();
    }
    let (die, delay) = world.draw(|rng| (rng.u8(..100), Duration::from_millis(rng.u64(1..100_000))));
    match die {
        0..30 => {}
        30..50 => {
            if let Err(error) = publish(&call, bus).await {
                return fail(call, error.into());
            }
        }
        50..60 => return fail(call, "it went wrong".into()),
        60..65 => {
            call.end(End::Failed);
            std::panic::panic_any(PLANNED);
        }
        65..72 => std::future::pending().await,
        72..78 => {
            call.end(End::Retry);
            return if die < 75 { retry() } else { retry_later(delay) };
        }
        78..82 => {
            call.end(End::Reject);
            return reject("not this one");
        }
        82..86 => {
            call.end(End::Requeue);
            return requeue();
        }
        _ => return act_after_settling(call, settle, die).await,
    }
    call.end(End::Done);
    ack()
}

/// Acknowledges, and goes on: what becomes of the call does not matter any more.
async fn act_after_settling(call: Acting, settle: Settle, die: u8) -> Outcome {
    if let Err(error) = settle.ack().await {
        return fail(call, error.into());
    }
    let world = Arc::clone(&call.world);
    world.settled_early(call.call);
    tokio::time::sleep(world.work_time()).await;
    match die {
        86..90 => fail(call, "it went wrong after all".into()),
        90..92 => std::future::pending().await,
        _ => {
            call.end(End::Done);
            ack()
        }
    }
}

async fn publish(call: &Acting, bus: &Publisher) -> Result<(), bus_runtime::Error> {
    let count = call.world.draw(|rng| rng.u8(1..=2));
    for _ in 0..count {
        let (topic, later) = call.world.draw(|rng| (TOPICS[rng.usize(..TOPICS.len())], rng.u8(..4) == 0));
        let Some(body) = call.world.child(topic, Sender::Call(call.call), later) else { return Ok(()) };
        let publish = bus.react(topic, &body).header(NUMBER, body.id.to_string());
        let time = call.world.draw(|rng| Duration::from_millis(rng.u64(1..200_000)));
        if later { publish.after(time).await? } else { publish.await? }
    }
    Ok(())
}

fn fail(call: Acting, error: BoxError) -> Outcome {
    call.end(End::Failed);
    Err::<(), _>(error).into_outcome()
}

/// The header with the number of a message, for those whose body says nothing.
pub(crate) const NUMBER: &str = "sim-number";
