//! The one door to time, randomness and tasks, so that a simulation can own all three.

use std::sync::Arc;

use crate::scope::Scope;

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
