//! What stands in for TLS in programs that are built without it: nothing that could be used.

use std::convert::Infallible;
use std::io;

use tokio::net::TcpStream;

use crate::broker_url::{AmqpUrl, Host, TlsOptions};
use crate::error::{Error, ErrorKind};

/// What would be an encrypted stream; there is never one.
pub(in crate::transport::rabbitmq) type Secured = TcpStream;

/// There is none.
#[derive(Clone, Debug)]
pub(in crate::transport::rabbitmq) struct Tls(Infallible);

impl Tls {
    pub(in crate::transport::rabbitmq) fn load(url: &AmqpUrl) -> Result<Option<Self>, Error> {
        match url.is_tls() {
            false => Ok(None),
            true => Err(Error::new(
                ErrorKind::Url,
                format!("this program is built without TLS, and can't connect to {url}"),
            )
            .with_help("build bus-runtime with its feature `tls`")),
        }
    }

    pub(in crate::transport::rabbitmq) fn with(_options: &TlsOptions) -> Result<Self, Error> {
        Err(Error::new(ErrorKind::Url, "this program is built without TLS, and can't speak https")
            .with_help("build bus-runtime with its feature `tls`"))
    }

    pub(in crate::transport::rabbitmq) fn to(&self, _host: &Host) -> Result<Self, Error> {
        match self.0 {}
    }

    pub(in crate::transport::rabbitmq) async fn secure(&self, _stream: TcpStream) -> io::Result<Secured> {
        match self.0 {}
    }
}

pub(in crate::transport::rabbitmq) fn in_words(_error: &io::Error, _host: &Host) -> Option<Error> {
    None
}
