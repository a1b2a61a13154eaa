//! A channel whose consumer is not known yet.

use lapin::Channel;
use tokio::time::timeout;

use super::connection::REQUEST_TIMEOUT;

/// A channel that closes unless its consumer comes.
///
/// lapin 4.12 closes a channel with the last handle to it, and a consumer that it keeps itself is one. So a channel would stay open,
/// and hold messages that nobody gets, when whoever asks for the consumer goes away before the broker has answered.
pub(super) struct Opening(Option<Channel>);

impl Opening {
    pub(super) fn of(channel: Channel) -> Self {
        Self(Some(channel))
    }

    /// Its consumer is there, and closes the channel from now on.
    pub(super) fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let Some(channel) = self.0.take().filter(|channel| channel.status().connected()) else { return };
        if tokio::runtime::Handle::try_current().is_ok() {
            crate::seam::spawn("rabbitmq-channel-close", async move {
                // A channel that the broker has ended meanwhile is closed, too.
                let _ = timeout(REQUEST_TIMEOUT, channel.close(200, "closed".into())).await;
            });
        }
    }
}
