//! Moves the messages of a handler that has got another name from its former queue into the one that it has.
//!
//! Workers of the old name may go on beside it: what they hold stays theirs. The former queue is looked at for as long as the
//! app runs, because retries that wait on the broker come back to it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use crate::arrival::Arrival;
use crate::copies;
use crate::envelope::Envelope;
use crate::error::{Error, ErrorKind};
use crate::hub::Hub;
use crate::names::QueueName;
use crate::provision::{self, Declare};
use crate::seam;
use crate::shutdown::Shutdown;
use crate::topology::Renamed;
use crate::transport::{Confirmation, Incoming, Verdict};

/// How long to wait until an empty former queue is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long to wait when the new queue did not take everything.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);
/// Messages that are under way between the two queues at once.
const BATCH: usize = 64;

/// What became of a look at a former queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// It is not there any more.
    Gone,
    /// There was nothing in it.
    Empty,
    /// This many messages were moved, so many of them had come to it by its bindings.
    Moved(usize, usize),
    /// Not all of them could be moved.
    Trouble,
}

/// Moves messages until the app stops or the former queue is gone.
pub(crate) async fn run(hub: Arc<Hub>, renamed: Renamed, declare: Declare) {
    let mut shutdown: Shutdown = hub.shutdown();
    tokio::select! {
        biased;
        () = shutdown.begins() => {}
        () = move_on(&hub, &renamed, declare) => {}
    }
}

async fn move_on(hub: &Hub, renamed: &Renamed, declare: Declare) {
    let mut total = 0;
    loop {
        let (work, dead) = (of_work(hub, renamed).await, of_dead(hub, renamed).await);
        if let Look::Moved(count, bound) = work {
            total += count;
            tracing::info!(from = %renamed.from, to = %renamed.to, count, total, "moved messages of the handler's former name");
            // A worker of the former name that starts again binds its queue again.
            if bound > 0 && declare != Declare::Never {
                cut_off(hub, renamed).await;
            }
        }
        match (work, dead) {
            (Look::Gone, Look::Gone) => return,
            (Look::Trouble, _) | (_, Look::Trouble) => seam::sleep(AFTER_TROUBLE).await,
            (Look::Moved(..), _) | (_, Look::Moved(..)) => {}
            _ => seam::sleep(LOOK_AGAIN).await,
        }
    }
}

/// Moves what is there now, and says how many messages that were. For `run --once`.
#[cfg(feature = "cli")]
pub(crate) async fn run_once(hub: &Hub, renamed: &Renamed) -> usize {
    let mut total = 0;
    while let Look::Moved(count, _) = of_work(hub, renamed).await {
        total += count;
    }
    while let Look::Moved(..) = of_dead(hub, renamed).await {}
    total
}

async fn cut_off(hub: &Hub, renamed: &Renamed) {
    if let Err(error) = provision::cut_off(&*hub.transport, std::slice::from_ref(renamed)).await {
        tracing::warn!(queue = %renamed.from, %error, "the former queue is still bound; what comes to it is moved");
    }
}

async fn of_work(hub: &Hub, Renamed { from, to, .. }: &Renamed) -> Look {
    move_batch(hub, from, |envelope| copies::moved(&Arrival::of(Arc::clone(envelope), from, false), to)).await
}

async fn of_dead(hub: &Hub, Renamed { from_dead, to_dead, .. }: &Renamed) -> Look {
    move_batch(hub, from_dead, |envelope| copies::readdressed(envelope, to_dead)).await
}

/// Moves some messages, in their order. Each is acknowledged when its copy is confirmed, and goes back otherwise.
async fn move_batch(
    hub: &Hub,
    from: &QueueName,
    copy: impl Fn(&Arc<Envelope>) -> Result<Envelope, Error>,
) -> Look {
    let mut taken = Vec::new();
    while taken.len() < BATCH {
        match hub.transport.get(from).await {
            Ok(Some(incoming)) => taken.push(incoming),
            Ok(None) => break,
            Err(error) if error.kind() == ErrorKind::NotFound && taken.is_empty() => return Look::Gone,
            Err(error) => {
                tracing::warn!(queue = %from, %error, "the former queue of a handler can't be read");
                return Look::Trouble;
            }
        }
    }
    if taken.is_empty() {
        return Look::Empty;
    }
    let count = taken.len();
    let bound = taken.iter().filter(|incoming| !incoming.envelope.exchange.is_default()).count();
    let moves = taken.into_iter().map(|incoming| async {
        let sent = match copy(&incoming.envelope) {
            Ok(copy) => hub.send(Arc::new(copy)).await,
            Err(error) => Err(error),
        };
        settle(from, incoming, sent)
    });
    match join_all(moves).await.into_iter().all(|moved| moved) {
        true => Look::Moved(count, bound),
        false => Look::Trouble,
    }
}

/// Whether the message has left its former queue.
fn settle(from: &QueueName, incoming: Incoming, sent: Result<Confirmation, Error>) -> bool {
    let (verdict, moved) = match sent {
        Ok(Confirmation::Routed) => (Verdict::Ack, true),
        Ok(Confirmation::Unroutable) => {
            tracing::error!(queue = %from, "the handler's queue is not there; its messages stay in the former one");
            (Verdict::Requeue, false)
        }
        Err(error) => {
            tracing::error!(queue = %from, %error, "a message stays in the former queue of its handler");
            (Verdict::Requeue, false)
        }
    };
    if let Err(error) = incoming.settler.settle(verdict) {
        tracing::debug!(%error, "the broker will deliver the message again");
    }
    moved
}
