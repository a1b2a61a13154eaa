//! What surrounds one call of a handler: the app, the handler's entry, and what it has published so far.

use std::sync::Arc;

use crate::extract::StateMap;
use crate::shutdown::Shutdown;

/// What surrounds one call of a handler.
pub(crate) struct Scope {
    state: StateMap,
    shutdown: Shutdown,
}

impl Scope {
    pub(crate) fn state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.state.get()
    }

    pub(crate) fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    pub(crate) fn handler_name(&self) -> &str {
        ""
    }

    pub(crate) fn capture<'k>(&self, _name: &str, _key: &'k str) -> Option<&'k str> {
        None
    }
}
