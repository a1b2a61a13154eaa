//! Telling how full the bounded queues of an app are.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::running::Running;
use crate::names::QueueName;
use crate::seam;
use crate::transport::{LevelListener, QueueLevel, Water, WaterMark};

/// How often the queues of a broker that tells nothing by itself are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What wants to know how full queues are.
#[derive(Clone, Default)]
pub(super) struct LevelHooks(Vec<LevelListener>);

impl LevelHooks {
    pub(super) fn push(&mut self, hook: LevelListener) {
        self.0.push(hook);
    }

    fn tell(&self, level: &QueueLevel) {
        let QueueLevel { queue, mark, ready, max_length } = level;
        match mark {
            WaterMark::High => tracing::warn!(%queue, ready, max_length, "the queue is nearly full"),
            WaterMark::Low => tracing::info!(%queue, ready, max_length, "the queue has room again"),
        }
        for hook in &self.0 {
            if catch_unwind(AssertUnwindSafe(|| hook(level))).is_err() {
                tracing::error!(%queue, "a hook for the level of queues panicked");
            }
        }
    }
}

impl fmt::Debug for LevelHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LevelHooks({})", self.0.len())
    }
}

/// Begins to watch the bounded queues of the app. The embedded broker tells each crossing itself; RabbitMQ is asked, so that of
/// two crossings between two looks it knows nothing.
pub(super) fn watch(running: &Running, hooks: LevelHooks) {
    let bounded = running
        .plan
        .queues
        .iter()
        .filter_map(|queue| Some((queue.name.clone(), queue.declaration.arguments.max_length?)));
    let bounded: Vec<(QueueName, u64)> = bounded.collect();
    if bounded.is_empty() {
        return;
    }
    let hub = Arc::clone(&running.hub);
    let tell = move |level: &QueueLevel| {
        if let Some(meters) = hub.meters.queue(&level.queue) {
            meters.is_high.set(u64::from(level.mark == WaterMark::High));
        }
        hooks.tell(level);
    };
    let tell = Arc::new(tell);
    let listener: LevelListener = {
        let (bounded, tell) = (bounded.clone(), Arc::clone(&tell));
        Arc::new(move |level| {
            if bounded.iter().any(|(name, _)| *name == level.queue) {
                tell(level);
            }
        })
    };
    if running.hub.transport.watch_levels(listener) {
        return;
    }
    let hub = Arc::clone(&running.hub);
    let mut finished = hub.shutdown_finished();
    seam::spawn("levels", async move {
        let mut water = vec![Water::default(); bounded.len()];
        let look = async {
            loop {
                for ((queue, max_length), water) in bounded.iter().zip(&mut water) {
                    // While the broker is away nothing is known, and nothing told.
                    let Ok(Some(state)) = hub.transport.inspect(queue).await else { continue };
                    if let Some(mark) = water.passes(state.ready, *max_length) {
                        let (queue, ready) = (queue.clone(), state.ready);
                        tell(&QueueLevel { queue, mark, ready, max_length: *max_length });
                    }
                }
                seam::sleep(LOOK_EVERY).await;
            }
        };
        tokio::select! {
            biased;
            () = look => {}
            _ = finished.wait_for(|finished| *finished) => {}
        }
    });
}
