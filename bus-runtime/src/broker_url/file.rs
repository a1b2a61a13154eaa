//! Addresses that stand in a file, as secrets do.

use std::path::Path;

use super::{BrokerUrl, Target};
use crate::error::{Error, ErrorKind};

impl BrokerUrl {
    /// Reads an address from a file. The file is read again before each new connection, so that a password in it can be changed
    /// under a running program.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) when the file cannot be read; [`Url`](ErrorKind::Url) as [`parse`](Self::parse).
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::new(ErrorKind::Config, format!("can't read {}", path.display())).with_source(error)
        })?;
        let mut url = Self::parse(&text)?;
        if let Target::Amqp(url) = &mut url.0 {
            url.file = Some(path.to_owned());
        }
        Ok(url)
    }
}
