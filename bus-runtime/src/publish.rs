//! Publishing.

use std::sync::Arc;

use crate::error::{Error, ErrorKind};
use crate::message::Message;
use crate::scope::Scope;
use crate::transport::BoxFuture;

/// Publishes messages.
#[derive(Clone, Debug)]
pub struct Publisher {}

impl Publisher {
    pub(crate) fn of(_scope: &Arc<Scope>) -> Self {
        Self {}
    }
}

/// A message about to be published.
#[derive(Debug)]
#[must_use = "nothing is published until it is awaited"]
pub struct Publish {}

pub(crate) fn publish_here<M: Message>(_message: &M) -> Publish {
    Publish {}
}

impl IntoFuture for Publish {
    type Output = Result<(), Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(std::future::ready(Err(Error::new(ErrorKind::NoBus, "there is no bus here"))))
    }
}
