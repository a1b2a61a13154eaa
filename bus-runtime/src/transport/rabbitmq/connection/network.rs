//! The thread that talks to the broker: handlers that block every thread of their runtime must not silence its heartbeats.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Handle, Runtime};

/// One thread is enough: it moves bytes. `None` when the system has no thread left.
static NETWORK: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(1).thread_name("bus-network").enable_all().build().ok()
});

/// Where connections live.
pub(super) fn handle() -> Handle {
    NETWORK.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
}
