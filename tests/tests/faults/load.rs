//! A steady load on a worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::rig::Feeder;

/// How often the load is looked at.
const TICK: Duration = Duration::from_millis(10);
/// So many publishes may wait at once. While the broker is away, the others are not made: a publisher has to be bounded too.
const WAITING_MAX: usize = 4_000;

/// Publishes at a rate until it is stopped.
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    task: JoinSet<()>,
    failed: Arc<AtomicUsize>,
}

impl Load {
    pub(crate) fn start(feeder: Feeder, per_second: u32) -> Self {
        let stop = watch::Sender::new(false);
        let failed = Arc::<AtomicUsize>::default();
        let mut task = JoinSet::new();
        task.spawn(run(feeder, per_second, stop.subscribe(), failed.clone()));
        Self { stop, task, failed }
    }

    /// Stops, and waits until every publish has ended. Says how many of them failed.
    pub(crate) async fn stop(mut self) -> usize {
        self.stop.send_replace(true);
        while let Some(ended) = self.task.join_next().await {
            ended.unwrap();
        }
        self.failed.load(Ordering::Relaxed)
    }
}

async fn run(feeder: Feeder, per_second: u32, stop: watch::Receiver<bool>, failed: Arc<AtomicUsize>) {
    let (room, started) = (Arc::new(Semaphore::new(WAITING_MAX)), Instant::now());
    let mut publishes = JoinSet::new();
    let mut begun = 0_u64;
    while !*stop.borrow() {
        tokio::time::sleep(TICK).await;
        let due = (started.elapsed().as_secs_f64() * f64::from(per_second)) as u64;
        while begun < due {
            begun += 1;
            let Ok(permit) = room.clone().try_acquire_owned() else { continue };
            let (feeder, failed) = (feeder.clone(), failed.clone());
            publishes.spawn(async move {
                if feeder.publish("load.x").await.is_err() {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
                drop(permit);
            });
        }
        while publishes.try_join_next().is_some() {}
    }
    while publishes.join_next().await.is_some() {}
}
