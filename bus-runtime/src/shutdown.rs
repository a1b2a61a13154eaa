//! Whether the app is shutting down, for handlers that want to know.

use tokio::sync::watch;

/// Whether the app is shutting down. Handlers take it as an argument.
///
/// ```
/// use bus_runtime::prelude::*;
/// use bus_runtime::Shutdown;
///
/// #[react("report.#")]
/// async fn long_report(shutdown: Shutdown) -> Outcome {
///     for page in 0..1_000 {
///         if shutdown.has_begun() {
///             return requeue(); // somebody else begins anew
///         }
///         render(page).await;
///     }
///     ack()
/// }
/// # async fn render(_page: u32) {}
/// ```
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    pub(crate) fn new(begun: watch::Receiver<bool>) -> Self {
        Self(begun)
    }

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
        // The app holds the sender; when it is gone, shutting down is over.
        let _ = self.0.wait_for(|begun| *begun).await;
    }
}
