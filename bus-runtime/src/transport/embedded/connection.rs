//! One connection to the broker: what exclusive queues belong to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::errors;
use super::queue::ConnectionId;
use super::shared::Shared;
use super::state::State;
use crate::error::Error;
use crate::seam;

#[derive(Debug)]
pub(super) struct Connection {
    shared: Arc<Shared>,
    pub(super) id: ConnectionId,
    closed: AtomicBool,
    /// Keeps messages that are late in their order, in a simulation.
    wire: tokio::sync::Mutex<()>,
}

impl Connection {
    pub(super) fn new(shared: Arc<Shared>) -> Arc<Self> {
        let id = shared.new_connection();
        Arc::new(Self { shared, id, closed: AtomicBool::new(false), wire: tokio::sync::Mutex::default() })
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Waits while what is on its way to the broker is late: only in a simulation.
    pub(super) async fn wire(&self) {
        if seam::is_simulated() {
            let _in_order = self.wire.lock().await;
            if let Some(late) = seam::lateness() {
                seam::sleep(late).await;
            }
        }
    }

    pub(super) fn check_open(&self) -> Result<(), Error> {
        if self.is_closed() { Err(errors::closed()) } else { Ok(()) }
    }

    /// Changes the state, unless the connection is closed.
    pub(super) fn with<T>(
        &self,
        change: impl FnOnce(&mut State, ConnectionId) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.check_open()?;
        self.shared.with(|state| {
            // What is due comes first, so that nobody sees a message or a queue after its time.
            state.run_due();
            change(state, self.id)
        })
    }

    pub(super) fn close(&self) {
        if !self.closed.swap(true, Ordering::AcqRel) {
            self.shared.with(|state| state.close_connection(self.id));
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}
