//! The publishing channel: open, or on its way.

use std::sync::Arc;
use std::time::Duration;

use lapin::Channel;
use lapin::options::ConfirmSelectOptions;
use tokio::time::Instant;

use crate::error::Error;
use crate::transport::BoxFuture;
use crate::transport::rabbitmq::backoff::Backoff;
use crate::transport::rabbitmq::connection::{Link, Live, REQUEST_TIMEOUT};
use crate::transport::rabbitmq::declare::ask;
use crate::transport::rabbitmq::reply::Request;

pub(super) enum ChannelState {
    Open(OpenChannel),
    Opening(BoxFuture<'static, Result<OpenChannel, Error>>, Backoff),
}

pub(super) struct OpenChannel {
    pub(super) channel: Channel,
    pub(super) live: Arc<Live>,
    pub(super) opened: Instant,
    /// The broker has refused a message on it.
    pub(super) was_nacked: bool,
    /// Changes when the broker blocks publishers or takes publishes again.
    blocked: tokio::sync::watch::Receiver<Option<String>>,
}

/// What there is to know about the channel.
pub(super) enum Change {
    Opened(Result<OpenChannel, Error>),
    /// The broker blocks publishers, or takes publishes again.
    Blocked,
}

impl ChannelState {
    /// On its way, on the connection that stands next.
    pub(super) fn opening(link: &Arc<Link>) -> Self {
        Self::Opening(Box::pin(open(link.clone(), Duration::ZERO)), Backoff::default())
    }

    /// Once more, after a wait.
    pub(super) fn open_again(&mut self, link: &Arc<Link>) {
        if let Self::Opening(opening, backoff) = self {
            let wait = backoff.next().max(Duration::from_millis(100));
            *opening = Box::pin(open(link.clone(), wait));
        }
    }

    /// Waits for the next change.
    pub(super) async fn changed(&mut self) -> Change {
        match self {
            Self::Opening(opening, _) => Change::Opened(opening.await),
            Self::Open(open) => match open.blocked.changed().await {
                Ok(()) => Change::Blocked,
                Err(_) => std::future::pending().await,
            },
        }
    }
}

/// Opens a channel with confirms, on the connection that stands next.
async fn open(link: Arc<Link>, wait: Duration) -> Result<OpenChannel, Error> {
    tokio::time::sleep(wait).await;
    let live = link.wait(Instant::now() + REQUEST_TIMEOUT).await?;
    let channel = live.channel().await?;
    let request = Request::new("confirm publishes", "write");
    ask(&live, &request, channel.confirm_select(ConfirmSelectOptions::default())).await?;
    let blocked = live.watch_blocked();
    Ok(OpenChannel { channel, live, opened: Instant::now(), was_nacked: false, blocked })
}
