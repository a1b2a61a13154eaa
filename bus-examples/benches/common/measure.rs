//! Rounds: wall time and the CPU time of the whole process, and the median of several.

use std::time::{Duration, Instant};

/// One round.
pub(crate) struct Round {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
}

/// Runs one round.
pub(crate) async fn measured(round: impl Future<Output = ()>) -> Round {
    let (started, cpu) = (Instant::now(), cpu_time());
    round.await;
    Round { wall: started.elapsed(), cpu: cpu_time().saturating_sub(cpu) }
}

/// What the threads that the process has now have used of the processors, in nanoseconds; else all it has used, in steps of the
/// kernel's clock tick (10 ms): proc(5).
pub(crate) fn cpu_time() -> Duration {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return Duration::ZERO };
    let of_thread = |path: std::path::PathBuf| -> Option<u64> {
        let stat = std::fs::read_to_string(path.join("schedstat")).ok()?;
        stat.split_whitespace().next()?.parse().ok()
    };
    let nanos: u64 = threads.flatten().filter_map(|thread| of_thread(thread.path())).sum();
    if nanos > 0 {
        return Duration::from_nanos(nanos);
    }
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The one in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
