//! Our side of a TLS connection.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::files;
use super::refusal::Ended;
use super::verifier::{Anyone, Trusted};
use crate::broker_url::{AmqpUrl, Host, TlsOptions};
use crate::error::{Error, ErrorKind};

/// A TCP stream that is encrypted.
pub(in crate::transport::rabbitmq) type Secured = Box<TlsStream<TcpStream>>;

/// How TLS is spoken: certificates that are read already, and the name to ask for.
#[derive(Clone)]
pub(in crate::transport::rabbitmq) struct Tls {
    config: Arc<ClientConfig>,
    /// The name that the certificate has to be for; `None` until it is known.
    name: Option<ServerName<'static>>,
}

impl Tls {
    /// Reads what an address names; `None` when it is one without TLS.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) for files that cannot be used.
    pub(in crate::transport::rabbitmq) fn load(url: &AmqpUrl) -> Result<Option<Self>, Error> {
        let Some(options) = &url.tls else { return Ok(None) };
        if url.external && options.cert_file.is_none() {
            return Err(Error::new(
                ErrorKind::Config,
                "the broker URL says `auth_mechanism=external`, and there is no client certificate",
            )
            .with_help("say which: `?certfile=..&keyfile=..`, or BUS_TLS_CERT and BUS_TLS_KEY"));
        }
        Self::with(options).map(Some)
    }

    /// Reads the files that these options name.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) for files that cannot be used.
    pub(in crate::transport::rabbitmq) fn with(options: &TlsOptions) -> Result<Self, Error> {
        let name = options.server_name.as_deref().map(server_name).transpose()?;
        Ok(Self { config: Arc::new(config(options)?), name })
    }

    /// For this host.
    ///
    /// # Errors
    /// [`Url`](ErrorKind::Url) for a host that no certificate can be for.
    pub(in crate::transport::rabbitmq) fn to(&self, host: &Host) -> Result<Self, Error> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => server_name(&host.name)?,
        };
        Ok(Self { config: Arc::clone(&self.config), name: Some(name) })
    }

    /// Shakes hands.
    ///
    /// # Errors
    /// Why one side does not want to; [`in_words`](super::in_words) understands it.
    pub(in crate::transport::rabbitmq) async fn secure(&self, stream: TcpStream) -> io::Result<Secured> {
        let name = self.name.clone().ok_or(io::ErrorKind::InvalidInput)?;
        match TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) if Ended::is(&error) => Err(io::Error::new(error.kind(), Ended)),
            Err(error) => Err(error),
        }
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(name.to_owned()).map_err(|_| {
        Error::new(ErrorKind::Url, format!("no certificate can be for `{name}`: it is no host name"))
            .with_help("say which name the server's certificate is for: `?server_name_indication=`")
    })
}

fn config(options: &TlsOptions) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(verifier(options, &provider)?);
    match &options.cert_file {
        None => Ok(builder.with_no_client_auth()),
        Some(cert) => {
            let key = options.key_file.as_ref().unwrap_or(cert);
            builder.with_client_auth_cert(files::certificates(cert)?, files::key(key)?).map_err(|error| {
                Error::new(
                    ErrorKind::Config,
                    format!("the client certificate in {} cannot be used", cert.display()),
                )
                .with_help(format!("is {} the key of that certificate?", key.display()))
                .with_source(error)
            })
        }
    }
}

fn verifier(
    options: &TlsOptions,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    if options.unverified {
        return Ok(Arc::new(Anyone(Arc::clone(provider))));
    }
    let mut roots = RootCertStore::empty();
    match &options.ca_file {
        Some(path) => {
            for certificate in files::certificates(path)? {
                roots.add(certificate).map_err(|error| {
                    Error::new(
                        ErrorKind::Config,
                        format!("a certificate in {} cannot be used", path.display()),
                    )
                    .with_source(error)
                })?;
            }
        }
        None => {
            roots.add_parsable_certificates(files::of_the_system()?);
        }
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(unusable)?;
    Ok(Arc::new(Trusted(verifier)))
}

fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Config, "TLS cannot be set up").with_source(error)
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}
