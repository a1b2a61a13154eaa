//! `basic.get`: one message at a time, without a consumer.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use lapin::options::BasicGetOptions;

use super::connection::Live;
use super::consume::incoming;
use super::convert::short;
use super::declare::ask;
use super::reply::Request;
use super::settle::Settlements;
use crate::error::Error;
use crate::names::QueueName;
use crate::transport::Incoming;

/// Takes single messages. All that are out at the same time share a channel, which closes with the last of them: what was not
/// settled goes back to its queue then.
#[derive(Debug, Default)]
pub(super) struct Getter(Mutex<Weak<Settlements>>);

impl Getter {
    /// Takes one message off a queue.
    ///
    /// # Errors
    /// What the broker says.
    pub(super) async fn get(&self, live: &Live, queue: &QueueName) -> Result<Option<Incoming>, Error> {
        let settlements = self.settlements(live).await?;
        let request = Request::new(format!("get from queue `{queue}`"), "read");
        let name = short(queue, "name of a queue")?;
        let got =
            ask(live, &request, settlements.channel().basic_get(name, BasicGetOptions::default())).await?;
        got.map(|got| incoming(got.delivery, &settlements)).transpose()
    }

    async fn settlements(&self, live: &Live) -> Result<Arc<Settlements>, Error> {
        let shared = self.0.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        match shared.filter(|settlements| settlements.channel().status().connected()) {
            Some(settlements) => Ok(settlements),
            None => {
                let settlements = Arc::new(Settlements::new(live.channel().await?, live));
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&settlements);
                Ok(settlements)
            }
        }
    }
}
