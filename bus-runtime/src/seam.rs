//! The one door to time, randomness and tasks, so that a simulation can own all three.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::scope::Scope;

/// Starts a task. Its name is for people who debug.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
pub(crate) fn spawn(_name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(task)
}

/// A number from 0 up to, but not including, 1.
pub(crate) fn random() -> f64 {
    fastrand::f64()
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
