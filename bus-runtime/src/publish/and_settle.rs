//! A message that is published and awaited, with all that it leads to.

use std::sync::Arc;

use super::draft::{Publish, Via};
use crate::envelope::header;
use crate::error::{Error, ErrorKind};
use crate::hub::Hub;
use crate::scope::CURRENT;
use crate::settling::Settled;
use crate::transport::BoxFuture;

/// A message about to be published and awaited: see [`Publish::and_settle`].
///
/// # Errors
/// (when awaited) [`InsideHandler`](ErrorKind::InsideHandler) in a handler, [`Closed`](ErrorKind::Closed) when the bus shuts
/// down meanwhile, and what publishing says.
///
/// # Cancel safety
/// Safe to cancel once it was published: nobody waits then, and nothing else changes.
#[derive(Debug)]
#[must_use = "nothing is published until it is awaited"]
pub struct AndSettle(Publish);

impl AndSettle {
    pub(super) fn new(publish: Publish) -> Self {
        Self(publish)
    }
}

impl IntoFuture for AndSettle {
    type Output = Result<Settled, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let (draft, via) = self.0.into_parts();
        Box::pin(async move {
            let mut draft = draft?;
            let hub = outside_of_handlers(via)?;
            let waiting = hub.settling.open();
            draft.envelope.headers.set(header::SETTLE, waiting.id().to_owned());
            hub.send_draft(draft).await?;
            waiting.settled(&hub).await
        })
    }
}

/// A handler that waited for other handlers would keep the slot that they may need.
fn outside_of_handlers(via: Via) -> Result<Arc<Hub>, Error> {
    match via {
        Via::Hub(hub) if CURRENT.try_with(|_| ()).is_err() => Ok(hub),
        Via::Session(session) if CURRENT.try_with(|_| ()).is_err() => session.hub(),
        Via::Hub(_) | Via::Scope(_) | Via::Session(_) => Err(Error::new(
            ErrorKind::InsideHandler,
            "a handler can't wait until its messages are settled: they are sent when it has succeeded, and may need its slot",
        )
        .with_help("publish without `and_settle`, or execute a command, which has a reply")),
        Via::Nowhere => Err(Error::new(ErrorKind::NoBus, "there is no bus to publish on")),
    }
}
