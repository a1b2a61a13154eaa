//! `basic.get`: one message at a time, without a consumer.

use std::sync::Arc;

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

/// Takes one message off a queue, on a channel of its own: the broker ends the channel of a `get` that it refuses, and with it goes
/// back all that was taken there. The channel closes with the right to settle; what was not settled goes back to its queue then.
///
/// # Errors
/// What the broker says.
pub(super) async fn get(live: &Live, queue: &QueueName) -> Result<Option<Incoming>, Error> {
    let settlements = Arc::new(Settlements::new(live.channel().await?, live));
    let request = Request::new(format!("get from queue `{queue}`"), "read");
    let name = short(queue, "name of a queue")?;
    let got = ask(live, &request, settlements.channel().basic_get(name, BasicGetOptions::default())).await?;
    got.map(|got| incoming(got.delivery, &settlements)).transpose()
}
