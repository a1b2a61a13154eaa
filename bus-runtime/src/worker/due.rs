//! Sends delayed messages on when they are due, for as long as the app runs.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::drain;
use super::phase::{self, Phase};
#[cfg(feature = "cli")]
use crate::error::Error;
use crate::hub::Hub;
use crate::seam;
use crate::transport::Consumer;

/// Forwards what comes out of `bus.due` until the app drains.
pub(crate) async fn run_due(
    hub: Arc<Hub>,
    mut consumer: Box<dyn Consumer>,
    mut phase: watch::Receiver<Phase>,
) {
    let mut forwarding = JoinSet::new();
    loop {
        let item = tokio::select! {
            biased;
            () = phase::drains(&mut phase) => break,
            item = poll_fn(|cx| consumer.poll_next(cx)) => item,
        };
        match item {
            Some(Ok(incoming)) => {
                let forward = crate::due::forward(Arc::clone(&hub), incoming);
                seam::spawn_into(&mut forwarding, "due message", forward);
            }
            Some(Err(error)) => tracing::warn!(%error, "the queue of due messages was interrupted"),
            None => break,
        }
        while forwarding.try_join_next().is_some() {}
    }
    drain::cancel(&mut consumer, &mut phase, drain::Rest::Requeued).await;
    // Whatever is not confirmed yet goes back to `bus.due`: a due message loses nothing by being sent a little later.
    forwarding.shutdown().await;
    drain::close(consumer, &phase).await;
}

/// Forwards what is due now. For `run --once`.
#[cfg(feature = "cli")]
pub(crate) async fn run_due_once(hub: &Arc<Hub>) -> Result<usize, Error> {
    let queue = crate::names::QueueName::new(crate::topology::naming::due(&hub.settings.prefix))?;
    let mut taken = 0;
    while let Some(incoming) = hub.transport.get(&queue).await? {
        crate::due::forward(Arc::clone(hub), incoming).await;
        taken += 1;
    }
    Ok(taken)
}

/// The messages that `bus.due` may have outstanding: each is one publish.
pub(crate) const DUE_PREFETCH: u16 = 256;
