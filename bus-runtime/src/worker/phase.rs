//! What the workers of an app have been told, from running to the end.

use tokio::sync::watch;
use tokio::time::Instant;

use crate::seam;

/// What the workers of an app have been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Take messages.
    Running,
    /// Take what is queued and what it leads to, until then: nobody else will, as the broker ends with the process.
    Emptying(Instant),
    /// Take no more; finish what has begun until then.
    Draining(Instant),
}

impl Phase {
    pub(crate) fn is_draining(self) -> bool {
        matches!(self, Self::Draining(_))
    }

    /// Until when handlers may go on; for ever while the app runs.
    pub(crate) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Running => None,
            Self::Emptying(deadline) | Self::Draining(deadline) => Some(deadline),
        }
    }
}

/// Waits until no more messages may be taken.
///
/// # Cancel safety
/// Safe to cancel.
pub(crate) async fn drains(phase: &mut watch::Receiver<Phase>) {
    // Who has gone without a word wants nothing any more.
    let _ = phase.wait_for(|phase| phase.is_draining()).await;
}

/// Waits until the time of the handlers is over, however often it is brought forward.
///
/// # Cancel safety
/// Safe to cancel.
pub(crate) async fn time_is_up(phase: &mut watch::Receiver<Phase>) {
    loop {
        let deadline = phase.borrow_and_update().deadline();
        let changed = match deadline {
            Some(deadline) => tokio::select! {
                biased;
                () = tokio::time::sleep_until(deadline) => return,
                changed = phase.changed() => changed,
            },
            None => phase.changed().await,
        };
        // Who has gone without a word leaves what was said last, and says no more.
        if changed.is_err() {
            let deadline = phase.borrow().deadline();
            return tokio::time::sleep_until(deadline.unwrap_or_else(seam::now)).await;
        }
    }
}
