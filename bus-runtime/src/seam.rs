//! The one door to time, randomness and tasks, so that a simulation can own all three.

use std::future::Future;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use tokio::sync::Semaphore;
use tokio::time::Instant;

/// How many plain `fn` handlers may run at once in the whole process: below the size of tokio's blocking pool (512), so that
/// handlers which never return leave room for everything else that blocks.
const BLOCKING_MAX: usize = 256;

static BLOCKING: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(BLOCKING_MAX)));

/// The present, on the clock that tests can pause.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The present, as people and other machines tell it. It moves with [`now`], so that paused tests see it stand still.
pub(crate) fn wall_clock() -> SystemTime {
    wall_clock_at(now())
}

/// What [`wall_clock`] said, or will say, at this point in time.
pub(crate) fn wall_clock_at(time: Instant) -> SystemTime {
    static ORIGIN: LazyLock<(std::time::Instant, SystemTime)> =
        LazyLock::new(|| (std::time::Instant::now(), SystemTime::now()));
    let (started, at) = *ORIGIN;
    match time.into_std().checked_duration_since(started) {
        Some(since) => at + since,
        None => at,
    }
}

/// Waits.
///
/// # Cancel safety
/// Safe to cancel.
pub(crate) async fn sleep(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Starts a task; the name is for whoever reads a task dump.
pub(crate) fn spawn<F>(name: &'static str, future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tracing::trace!(task = name, "spawned");
    #[expect(clippy::disallowed_methods, reason = "this is the seam")]
    tokio::spawn(future)
}

/// Starts a thread that is not one of the runtime's: for what must go on when handlers block all of those.
///
/// # Errors
/// When the system has no thread left.
#[cfg(feature = "cli")]
pub(crate) fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

/// A number from 0 up to, but not including, 1, from a generator that is not for secrets.
#[cfg(feature = "rabbitmq")]
pub(crate) fn random() -> f64 {
    fastrand::f64()
}

/// A number below `bound`, from a generator that is not for secrets.
pub(crate) fn random_below(bound: u32) -> u32 {
    fastrand::u32(0..bound.max(1))
}

/// A new id for a message: UUID v7, so that ids sort by time.
pub(crate) fn message_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Runs a plain `fn` handler on the pool for blocking work; its panic goes on in the caller.
///
/// # Cancel safety
/// When it is dropped, a handler that has begun goes on until it returns, and keeps its place in the pool until then.
pub(crate) async fn blocking<T, F>(handler: F) -> T
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let permit = Arc::clone(&BLOCKING).acquire_owned().await;
    let task = tokio::task::spawn_blocking(move || {
        let returned = handler();
        drop(permit);
        returned
    });
    match task.await {
        Ok(returned) => returned,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Only the end of the runtime cancels blocking work, and this future ends with it.
            Err(_) => std::future::pending().await,
        },
    }
}
