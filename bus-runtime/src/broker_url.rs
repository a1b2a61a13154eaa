//! The address of a broker, read and checked once.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::names::ExchangeName;

mod file;
mod parse;
mod tls;

pub use self::tls::TlsOptions;

/// The port of RabbitMQ.
pub const AMQP_PORT: u16 = 5672;
/// The port of RabbitMQ for TLS.
pub const AMQPS_PORT: u16 = 5671;

/// The address of a broker, such as `amqp://app:secret@rabbit:5672/prod`, or `embedded:` for the broker inside the program.
///
/// ```text
/// amqp://user:password@host:port/vhost?option=value     everything but the host may be left out
/// amqp://rabbit-1,rabbit-2:5673/                        several hosts are tried in turn
/// amqps://app:secret@rabbit/prod                        over TLS, at port 5671
/// embedded:                                             the embedded broker
/// ```
///
/// Without a path, or with an empty one, the virtual host is `/`. Special characters in user, password and virtual host are
/// written as `%` and two hexadecimal digits. The options are `heartbeat` (seconds, 0 for none), `connection_timeout`
/// (milliseconds), `channel_max`, `frame_max` (bytes), and `exchange`, the exchange that events, tasks and commands go through.
///
/// An `amqps://` URL has those of RabbitMQ's URI specification as well: `cacertfile`, `certfile`, `keyfile`,
/// `server_name_indication`, `auth_mechanism` (`plain`, or `external` to log in as the client certificate) and `verify`. The
/// certificate of the server is checked, unless `verify=verify_none` says otherwise. See [`TlsOptions`].
///
/// Neither `Display` nor `Debug` shows the password.
///
/// ```
/// use bus_runtime::BrokerUrl;
///
/// let url = BrokerUrl::parse("amqp://app:s3cret@rabbit/prod?heartbeat=5")?;
/// assert_eq!(url.to_string(), "amqp://app:***@rabbit:5672/prod");
/// assert!(BrokerUrl::parse("localhost:5672").is_err());
/// # Ok::<(), bus_runtime::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl(Target);

#[derive(Clone, PartialEq, Eq)]
enum Target {
    Embedded,
    Amqp(Box<AmqpUrl>),
}

/// The address of a RabbitMQ server: what an `amqp://` URL says.
#[derive(Clone, PartialEq, Eq)]
pub struct AmqpUrl {
    /// The hosts, at least one, in the order in which they are tried.
    pub(crate) hosts: Vec<Host>,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) vhost: String,
    /// The virtual host is `/` because the URL did not name one.
    pub(crate) vhost_is_implied: bool,
    pub(crate) exchange: Option<ExchangeName>,
    pub(crate) heartbeat: Option<u16>,
    pub(crate) connection_timeout: Option<Duration>,
    pub(crate) channel_max: Option<u16>,
    pub(crate) frame_max: Option<u32>,
    /// How TLS is spoken; `None` for plain text.
    pub(crate) tls: Option<TlsOptions>,
    /// Log in as the client certificate, without a password.
    pub(crate) external: bool,
    /// The file that it was read from, which is read again before each new connection.
    pub(crate) file: Option<PathBuf>,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name or an IP address; IPv6 without its brackets.
    pub name: String,
    /// The port.
    pub port: u16,
}

impl BrokerUrl {
    /// Reads an address.
    ///
    /// # Errors
    /// [`Url`](ErrorKind::Url), saying what is wrong and how to write it. The password is not in it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        parse::parse(text)
    }

    /// The embedded broker.
    #[must_use]
    pub fn embedded() -> Self {
        Self(Target::Embedded)
    }

    /// Whether it is the embedded broker.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        matches!(self.0, Target::Embedded)
    }

    /// The address of the RabbitMQ server; `None` for the embedded broker.
    #[must_use]
    pub fn amqp(&self) -> Option<&AmqpUrl> {
        match &self.0 {
            Target::Embedded => None,
            Target::Amqp(url) => Some(url),
        }
    }

    /// Whether there is a password in it that nobody else should know; everybody knows that of `guest`.
    #[cfg(feature = "cli")]
    pub(crate) fn has_secret(&self) -> bool {
        self.amqp().is_some_and(|url| !url.password.is_empty() && url.password != "guest")
    }

    /// The exchange that events, tasks and commands go through, when the address names one.
    #[must_use]
    pub fn exchange(&self) -> Option<&ExchangeName> {
        self.amqp()?.exchange.as_ref()
    }
}

impl AmqpUrl {
    /// The hosts, at least one, in the order in which they are tried.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// The user to log in as.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Whether it is spoken to over TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The virtual host as one part of the path of a URL.
    #[cfg(feature = "rabbitmq")]
    pub(crate) fn vhost_in_path(&self) -> String {
        parse::encode(&self.vhost)
    }

    /// The virtual host.
    #[must_use]
    pub fn vhost(&self) -> &str {
        &self.vhost
    }
}

impl FromStr for BrokerUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

/// The address with `***` for the password.
impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Target::Embedded => f.write_str("embedded:"),
            Target::Amqp(url) => url.fmt(f),
        }
    }
}

/// The address with `***` for the password.
impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The address with `***` for the password, and without options.
impl fmt::Display for AmqpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_tls() { "amqps://" } else { "amqp://" })?;
        if !self.external {
            write!(f, "{}:***@", parse::encode(&self.user))?;
        }
        for (index, host) in self.hosts.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{host}")?;
        }
        match self.vhost.as_str() {
            "/" => Ok(()),
            vhost => write!(f, "/{}", parse::encode(vhost)),
        }
    }
}

/// The address with `***` for the password, and without options.
impl fmt::Debug for AmqpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.contains(':') {
            true => write!(f, "[{}]:{}", self.name, self.port),
            false => write!(f, "{}:{}", self.name, self.port),
        }
    }
}

fn bad_url(message: impl Into<String>, help: impl Into<String>) -> Error {
    Error::new(ErrorKind::Url, message).with_help(help)
}
