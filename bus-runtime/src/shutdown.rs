//! Whether the app is shutting down, for handlers that want to know.

use tokio::sync::watch;

/// Whether the app is shutting down. Handlers take it as an argument.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Whether it has begun.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it begins.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub async fn begins(&mut self) {
        let _ = self.0.wait_for(|begun| *begun).await;
    }
}
