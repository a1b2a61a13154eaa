//! How many messages wait in each queue: asked from the broker, and not too often.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::app::Running;
use crate::names::QueueName;
use crate::seam;
use crate::transport::{QueueState, Transport};

/// How old an answer may be. A dashboard with many viewers asks the broker no more often than one.
const FRESH: Duration = Duration::from_secs(2);
/// Questions that are under way at once.
const AT_ONCE: usize = 8;
/// How long to wait for all answers; what is not known by then is shown as unknown.
const PATIENCE: Duration = Duration::from_secs(2);

/// The queues as the broker last told.
#[derive(Debug, Default)]
pub(super) struct Depths(Mutex<Option<(Instant, BTreeMap<QueueName, QueueState>)>>);

impl Depths {
    /// Every queue of the app and its dead letters; those that the broker did not tell about are left out.
    pub(super) async fn of(&self, running: &Running) -> BTreeMap<QueueName, QueueState> {
        let mut kept = self.0.lock().await;
        if let Some((at, known)) = kept.as_ref()
            && at.elapsed() < FRESH
        {
            return known.clone();
        }
        let mut known = BTreeMap::new();
        let mut names: Vec<QueueName> = Vec::new();
        for queue in &running.plan.queues {
            names.extend([queue.name.clone(), queue.dead.clone()]);
        }
        let mut under_way = FuturesUnordered::new();
        let all = async {
            loop {
                while under_way.len() < AT_ONCE
                    && let Some(name) = names.pop()
                {
                    under_way.push(ask(Arc::clone(&running.hub.transport), name));
                }
                match under_way.next().await {
                    Some((name, Some(state))) => drop(known.insert(name, state)),
                    Some((_, None)) => {}
                    None => return,
                }
            }
        };
        // A broker that is away answers nobody; the page says so at its top.
        let _ = tokio::time::timeout(PATIENCE, all).await;
        *kept = Some((seam::now(), known.clone()));
        known
    }
}

async fn ask(transport: Arc<dyn Transport>, name: QueueName) -> (QueueName, Option<QueueState>) {
    let state = transport.inspect(&name).await.ok().flatten();
    (name, state)
}
