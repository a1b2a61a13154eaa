//! The one door to time, randomness and tasks, so that a simulation can own all three.

use std::future::Future;
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use tokio::time::Instant;

use crate::scope::Scope;

/// The present, on the clock that tests can pause.
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The present, as people and other machines tell it. It moves with [`now`], so that paused tests see it stand still.
pub(crate) fn wall_clock() -> SystemTime {
    static ORIGIN: LazyLock<(std::time::Instant, SystemTime)> =
        LazyLock::new(|| (std::time::Instant::now(), SystemTime::now()));
    let (started, at) = *ORIGIN;
    match now().into_std().checked_duration_since(started) {
        Some(since) => at + since,
        None => at,
    }
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

/// Runs a plain `fn` handler on the pool for blocking work; its panic goes on in the caller.
pub(crate) async fn blocking<T, F>(_scope: &Arc<Scope>, handler: F) -> T
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    match tokio::task::spawn_blocking(handler).await {
        Ok(returned) => returned,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}
