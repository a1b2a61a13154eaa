//! Where the broker is, and as whom we log in: read anew for each connection, because secrets are rotated.

use std::sync::{Mutex, PoisonError};

use crate::broker_url::{AmqpUrl, BrokerUrl, TlsOptions};

/// The address of the broker. When it stands in a file, the file is read again before each connection.
#[derive(Debug)]
pub(in crate::transport::rabbitmq) struct Address {
    /// As it was read last.
    last: Mutex<AmqpUrl>,
    /// How TLS is spoken where the URL does not say.
    tls: TlsOptions,
}

impl Address {
    pub(in crate::transport::rabbitmq) fn new(url: &AmqpUrl, tls: TlsOptions) -> Self {
        Self { last: Mutex::new(with_defaults(url.clone(), &tls)), tls }
    }

    /// How TLS is spoken to the management API, whatever is spoken to the broker.
    pub(in crate::transport::rabbitmq) fn tls(&self) -> TlsOptions {
        self.last().tls.unwrap_or_else(|| self.tls.clone())
    }

    /// As it was read last.
    pub(in crate::transport::rabbitmq) fn last(&self) -> AmqpUrl {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// As it is now. A file that cannot be used any more changes nothing: while it is being replaced it may be half written.
    pub(in crate::transport::rabbitmq) fn current(&self) -> AmqpUrl {
        let last = self.last();
        let Some(file) = &last.file else { return last };
        match BrokerUrl::from_file(file).map(|url| url.amqp().cloned()) {
            Ok(Some(url)) => {
                let url = with_defaults(url, &self.tls);
                if url != last {
                    tracing::info!(file = %file.display(), "the broker's address has changed in its file");
                    *self.last.lock().unwrap_or_else(PoisonError::into_inner) = url.clone();
                }
                url
            }
            Ok(None) => {
                tracing::warn!(file = %file.display(), "the file has no amqp:// or amqps:// URL any more: the last one is used");
                last
            }
            Err(error) => {
                tracing::warn!(file = %file.display(), code = error.kind().code(), %error, help = error.help(), "the broker's address cannot be read again: the last one is used");
                last
            }
        }
    }
}

fn with_defaults(url: AmqpUrl, defaults: &TlsOptions) -> AmqpUrl {
    let tls = url.tls.map(|tls| tls.or(defaults));
    AmqpUrl { tls, ..url }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_and_kept_when_it_is_unusable() {
        let file = std::env::temp_dir().join(format!("bus-address-{}", std::process::id()));
        let write = |text: &str| std::fs::write(&file, text).unwrap();
        write("amqp://app:old@rabbit");
        let url = BrokerUrl::from_file(&file).unwrap();
        let address = Address::new(url.amqp().unwrap(), TlsOptions::default());
        assert_eq!(address.current().password, "old");
        write("amqp://app:new@rabbit");
        assert_eq!((address.last().password, address.current().password), ("old".into(), "new".into()));
        for unusable in ["", "amqp://", "embedded:"] {
            write(unusable);
            assert_eq!(address.current().password, "new", "{unusable}");
        }
        std::fs::remove_file(&file).unwrap();
        assert_eq!(address.current().password, "new");
        write("amqps://app:new@rabbit");
        let tls = TlsOptions { ca_file: Some("ca".into()), ..TlsOptions::default() };
        let address = Address::new(url.amqp().unwrap(), tls);
        assert_eq!(address.current().tls.unwrap().ca_file, Some("ca".into()));
        std::fs::remove_file(&file).unwrap();
    }
}
