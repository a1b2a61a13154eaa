//! A connection that stands, and who is at its other end.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lapin::Connection;
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Defects, REQUEST_TIMEOUT};
use crate::broker_url::{AmqpUrl, Host};
use crate::error::Error;
use crate::transport::Limits;
use crate::transport::rabbitmq::reply;

/// Who is at the other end, and as whom we talk to it: for the texts of errors.
#[derive(Clone, Debug)]
pub(in crate::transport::rabbitmq) struct Peer {
    pub(in crate::transport::rabbitmq) host: Host,
    pub(in crate::transport::rabbitmq) user: String,
    pub(in crate::transport::rabbitmq) vhost: String,
    pub(in crate::transport::rabbitmq) vhost_is_implied: bool,
    /// We log in as our certificate.
    pub(in crate::transport::rabbitmq) external: bool,
}

impl Peer {
    pub(in crate::transport::rabbitmq) fn new(url: &AmqpUrl, host: &Host) -> Self {
        Self {
            host: host.clone(),
            user: if url.external { "(client certificate)".to_owned() } else { url.user.clone() },
            vhost: url.vhost.clone(),
            vhost_is_implied: url.vhost_is_implied,
            external: url.external,
        }
    }
}

/// A connection that stands, or stood a moment ago.
pub(in crate::transport::rabbitmq) struct Live {
    pub(in crate::transport::rabbitmq) connection: Connection,
    pub(in crate::transport::rabbitmq) peer: Peer,
    /// Product and version of the server.
    pub(in crate::transport::rabbitmq) server: String,
    /// What was wrong with messages that nobody has taken yet.
    pub(in crate::transport::rabbitmq) defects: Arc<Defects>,
    /// Why the broker takes no publishes for now.
    pub(super) blocked: watch::Sender<Option<String>>,
    /// How many channel numbers are lost, see [`channel`](Self::channel).
    pub(super) spent: AtomicU32,
}

impl Live {
    /// Opens a channel.
    ///
    /// # Errors
    /// When the connection is gone or has no channel left.
    pub(in crate::transport::rabbitmq) async fn channel(&self) -> Result<lapin::Channel, Error> {
        let request = reply::Request::new("open a channel", "");
        match timeout(REQUEST_TIMEOUT, self.fresh_channel()).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(error)) => Err(reply::failed(&error, &request, &self.peer)),
            Err(_) => Err(reply::timed_out(&request.what, REQUEST_TIMEOUT, &self.peer)),
        }
    }

    /// Opens a channel under a number that can still be used.
    ///
    /// When the broker has ended a channel with an error, lapin 4.12 keeps that error under the channel's number, and answers
    /// with it when all numbers have had their turn and a new channel gets this one. The broker itself never refuses a channel
    /// with such an error. The number is lost then, and the next one is tried. When half of them are lost, the connection is given
    /// up while there are some left: the next one has them all.
    async fn fresh_channel(&self) -> lapin::Result<lapin::Channel> {
        let bearable = u32::from(self.connection.configuration().channel_max() / 2);
        loop {
            match self.connection.create_channel().await {
                Err(error) if reply::soft_error(&error).is_some() => {
                    if self.spent.fetch_add(1, Ordering::Relaxed) >= bearable {
                        tracing::warn!("many channels ended with an error: making the connection anew");
                        self.connection.close(200, "channel numbers are used up".into()).await?;
                    }
                }
                opened => return opened,
            }
        }
    }

    pub(in crate::transport::rabbitmq) fn blocked(&self) -> Option<String> {
        self.blocked.borrow().clone()
    }

    pub(in crate::transport::rabbitmq) fn watch_blocked(&self) -> watch::Receiver<Option<String>> {
        self.blocked.subscribe()
    }

    /// The largest frame that both sides agreed on.
    pub(in crate::transport::rabbitmq) fn frame_max(&self) -> usize {
        usize::try_from(self.connection.configuration().frame_max()).unwrap_or(usize::MAX)
    }

    pub(in crate::transport::rabbitmq) fn limits(&self) -> Limits {
        let agreed = self.connection.configuration();
        Limits {
            channels: agreed.channel_max(),
            frame_bytes: agreed.frame_max(),
            heartbeat_secs: agreed.heartbeat(),
        }
    }

    pub(in crate::transport::rabbitmq) fn stands(&self) -> bool {
        self.connection.status().connected()
    }

    /// Corrects what the events say, in case one was missed.
    pub(super) fn look_whether_blocked(&self) {
        let is_blocked = self.connection.status().blocked();
        self.blocked.send_if_modified(|reason| {
            let is_wrong = reason.is_some() != is_blocked;
            if is_wrong {
                *reason = is_blocked.then(|| "the broker did not say why".to_owned());
            }
            is_wrong
        });
    }

    /// Says goodbye, or gives up on it.
    pub(super) async fn close(&self, within: Duration) {
        if self.stands() {
            let _ = timeout(within, self.connection.close(200, "goodbye".into())).await;
        }
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("host", &self.peer.host.to_string())
            .field("server", &self.server)
            .finish()
    }
}
