//! What was wrong with messages as they came over the wire, until somebody takes them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many messages with defects are remembered: more than the prefetch limits of a worker allow. What comes beyond it is handed
/// over without its defects, mended as it is.
const REMEMBERED_MAX: usize = 64 * 1024;
/// So many defects of one message are told.
const TOLD_MAX: usize = 8;

/// The defects of messages that were delivered on one connection, by channel and delivery tag.
#[derive(Debug, Default)]
pub(in crate::transport::rabbitmq) struct Defects {
    of_messages: Mutex<HashMap<(u16, u64), Vec<String>>>,
    /// How many there are, so that nobody needs the lock when there is none.
    count: AtomicUsize,
}

impl Defects {
    fn change<T>(
        &self,
        change: impl FnOnce(&mut MutexGuard<'_, HashMap<(u16, u64), Vec<String>>>) -> T,
    ) -> T {
        let mut of_messages = self.of_messages.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut of_messages);
        self.count.store(of_messages.len(), Ordering::Release);
        result
    }

    pub(super) fn add(&self, channel: u16, tag: u64, defects: impl Iterator<Item = String>) {
        self.change(|of_messages| {
            if of_messages.len() < REMEMBERED_MAX || of_messages.contains_key(&(channel, tag)) {
                let known = of_messages.entry((channel, tag)).or_default();
                known.extend(defects);
                known.truncate(TOLD_MAX);
            }
        });
    }

    /// A channel begins anew: nobody will ask for what was delivered on the old one.
    pub(super) fn forget(&self, channel: u16) {
        if self.count.load(Ordering::Acquire) > 0 {
            self.change(|of_messages| of_messages.retain(|(other, _), _| *other != channel));
        }
    }

    /// What is wrong with this message. Once.
    pub(in crate::transport::rabbitmq) fn take(&self, channel: u16, tag: u64) -> Option<String> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.change(|of_messages| of_messages.remove(&(channel, tag))).map(|defects| defects.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembered_until_they_are_taken_or_their_channel_begins_anew() {
        let defects = Defects::default();
        let add = |channel, tag, text: &str| defects.add(channel, tag, std::iter::once(text.to_owned()));
        add(1, 7, "one");
        add(1, 7, "two");
        add(1, 8, "other");
        add(2, 7, "elsewhere");
        assert_eq!(defects.take(1, 7).as_deref(), Some("one; two"));
        assert_eq!(defects.take(1, 7), None);
        defects.forget(1);
        assert_eq!(defects.take(1, 8), None);
        assert_eq!(defects.take(2, 7).as_deref(), Some("elsewhere"));
        assert_eq!(defects.count.load(Ordering::Acquire), 0);
    }
}
