//! What stands in for the admin port in programs that are built without it.

use std::net::SocketAddr;
use std::sync::Arc;

use super::AdminPort;
use crate::app::Running;
use crate::config::HttpAccess;
use crate::error::{Error, ErrorKind};

/// There is none.
#[derive(Debug)]
pub(crate) struct Admin;

impl Admin {
    pub(crate) fn open(port: Option<AdminPort>, _access: &HttpAccess) -> Result<Option<Self>, Error> {
        match port {
            None | Some(AdminPort::Off | AdminPort::Default) => Ok(None),
            Some(AdminPort::At(address)) => Err(Error::new(
                ErrorKind::Config,
                format!("this program is built without the admin port, and can't listen at {address}"),
            )
            .with_help("build bus-runtime with its feature `admin`")),
        }
    }

    pub(crate) fn watch(&self, _running: &Arc<Running>) {}

    #[expect(clippy::unused_async, reason = "as the real one")]
    pub(crate) async fn close(self) {}

    #[expect(clippy::unused_self, reason = "as the real one")]
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        None
    }
}
