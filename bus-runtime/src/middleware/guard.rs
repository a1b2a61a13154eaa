//! The innermost layer: the handler's timeout, and its panics as errors.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;

use super::panicked;
use crate::delivery::Delivery;
use crate::error::BoxError;
use crate::outcome::{HandlerError, Outcome};
use crate::registration::judged;
use crate::topology::HandlerEntry;

/// Calls the handler, at most for as long as its timeout. Waiting for a layer further out is not part of that time.
pub(super) async fn guarded(entry: Arc<HandlerEntry>, delivery: Delivery) -> Result<Outcome, BoxError> {
    let call = AssertUnwindSafe((entry.call)(delivery)).catch_unwind();
    let ended = match entry.timeout {
        Some(timeout) => tokio::time::timeout(timeout, call).await.map_err(|_| timeout),
        None => Ok(call.await),
    };
    Ok(match ended {
        Ok(Ok(Ok(outcome))) => judged(outcome),
        Ok(Ok(Err(rejection))) => rejection.into(),
        Ok(Err(panic)) => Outcome::Failed(panicked(panic.as_ref())),
        Err(timeout) => Outcome::Failed(HandlerError::timeout(timeout)),
    })
}
