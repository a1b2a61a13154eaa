//! What a test sees of a running app, and what it puts in the place of handlers. Without the feature `testing` nobody looks.

use std::sync::Arc;

use crate::delivery::{Delivery, Metadata};
use crate::envelope::Envelope;
use crate::outcome::{Outcome, Rejection};
use crate::topology::HandlerEntry;
use crate::transport::{BoxFuture, Confirmation};

/// What happens instead of a handler, within its timeout: what it would have returned, or nothing when the handler is to be
/// called after that.
pub(crate) type Instead = BoxFuture<'static, Option<Result<Outcome, Rejection>>>;

/// Who sees what an app does.
pub(crate) trait Witness: Send + Sync {
    /// The broker has confirmed a message, or it was handed over inside of the process.
    fn published(&self, envelope: &Arc<Envelope>, confirmation: Confirmation);

    /// A handler is called. Returns what this call is known by.
    fn called(&self, entry: &Arc<HandlerEntry>, metadata: &Metadata, instance: Option<&str>) -> usize;

    /// A call has ended; without an outcome when it was interrupted.
    fn ended(&self, call: usize, outcome: Option<&Outcome>);

    /// What is to happen instead of the handler.
    fn instead(&self, entry: &Arc<HandlerEntry>, delivery: &Delivery) -> Option<Instead>;
}
