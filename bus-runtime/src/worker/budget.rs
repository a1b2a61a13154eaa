//! How many messages a program takes before it ends: `run --max-messages`.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// The messages that may be taken still.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    /// `None` is any number.
    left: Option<AtomicU64>,
    spent: Notify,
}

impl Budget {
    #[cfg(feature = "cli")]
    pub(crate) fn of(messages: Option<u64>) -> Self {
        Self { left: messages.map(AtomicU64::new), spent: Notify::new() }
    }

    /// Takes one message; false when there was none left to take.
    pub(super) fn take(&self) -> bool {
        let Some(left) = &self.left else { return true };
        let before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if before == Ok(1) {
            self.spent.notify_one();
        }
        before.is_ok()
    }

    #[cfg(feature = "cli")]
    pub(super) fn is_spent(&self) -> bool {
        self.left.as_ref().is_some_and(|left| left.load(Ordering::Relaxed) == 0)
    }

    /// Waits until the last one is taken. For one who waits.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    #[cfg(feature = "cli")]
    pub(crate) async fn spent(&self) {
        self.spent.notified().await;
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_there_are() {
        let budget = Budget::of(Some(2));
        assert_eq!([budget.take(), budget.take(), budget.take()], [true, true, false]);
        assert!((0..1000).all(|_| Budget::default().take()));
    }
}
