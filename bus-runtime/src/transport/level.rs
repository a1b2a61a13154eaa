//! How full a bounded queue is: the marks that it passes, each once per crossing. Pure.

use std::sync::Arc;

use crate::names::QueueName;

/// From how many percent of `max_length` on a queue counts as nearly full.
const HIGH_PERCENT: u64 = 80;
/// Down to how many percent it has to fall before it counts as emptied: far enough that a queue which is about as full as the
/// high mark does not pass the marks with every message.
const LOW_PERCENT: u64 = 50;

/// Which mark a queue has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaterMark {
    /// Upwards through 80 % of its `max_length`.
    High,
    /// Then downwards through 50 %.
    Low,
}

/// A bounded queue has passed a mark: what [`App::on_queue_level`](crate::App::on_queue_level) is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueLevel {
    /// The queue.
    pub queue: QueueName,
    /// Which mark.
    pub mark: WaterMark,
    /// How many messages were ready then.
    pub ready: u64,
    /// How many it holds at most.
    pub max_length: u64,
}

/// Is told of every mark that a queue passes.
pub type LevelListener = Arc<dyn Fn(&QueueLevel) + Send + Sync>;

/// How full a queue was when somebody looked last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Water {
    #[default]
    Low,
    High,
}

impl Water {
    /// The mark that is passed with so many ready messages.
    pub(crate) fn passes(&mut self, ready: u64, max_length: u64) -> Option<WaterMark> {
        let (now, mark) = match *self {
            Self::Low if is_high(ready, max_length) => (Self::High, WaterMark::High),
            Self::High if is_low(ready, max_length) => (Self::Low, WaterMark::Low),
            _ => return None,
        };
        *self = now;
        Some(mark)
    }
}

/// Whether a queue is nearly full.
pub(crate) fn is_high(ready: u64, max_length: u64) -> bool {
    ready.saturating_mul(100) >= max_length.saturating_mul(HIGH_PERCENT)
}

/// Whether a queue has room again.
pub(crate) fn is_low(ready: u64, max_length: u64) -> bool {
    ready.saturating_mul(100) <= max_length.saturating_mul(LOW_PERCENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_passed_once_per_crossing() {
        let mut water = Water::default();
        let levels = [0, 5, 7, 8, 9, 7, 8, 10, 6, 5, 4, 6, 8, 0, 10];
        let passed: Vec<_> =
            levels.iter().filter_map(|ready| Some((*ready, water.passes(*ready, 10)?))).collect();
        let (high, low) = (WaterMark::High, WaterMark::Low);
        assert_eq!(passed, [(8, high), (5, low), (8, high), (0, low), (10, high)]);
    }

    #[test]
    fn a_queue_for_one_message_has_marks_too() {
        let mut water = Water::default();
        assert_eq!(water.passes(1, 1), Some(WaterMark::High));
        assert_eq!(water.passes(0, 1), Some(WaterMark::Low));
    }
}
