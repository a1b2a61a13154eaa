//! The admin port: HTTP for probes and people, on this machine unless it is told otherwise.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::error::{Error, ErrorKind};

#[cfg(feature = "dashboard")]
mod dashboard;
#[cfg(feature = "admin")]
mod health;
#[cfg(feature = "admin")]
mod metrics;
#[cfg(feature = "admin")]
mod serve;

#[cfg(feature = "admin")]
pub(crate) use self::serve::Admin;

#[cfg(not(feature = "admin"))]
mod absent;
#[cfg(not(feature = "admin"))]
pub(crate) use self::absent::Admin;

/// Where `run` listens when nobody says otherwise: the port that Prometheus exporters of OpenTelemetry have.
pub(crate) const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// Whether and where an app answers over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminPort {
    /// Not at all.
    Off,
    /// At 127.0.0.1:9464, unless another program does: then not at all, with a warning.
    Default,
    /// Here; when that cannot be, the app does not start. Port 0 is any that is free.
    At(SocketAddr),
}

impl AdminPort {
    /// Reads `off`, `9464`, `:9464`, `localhost:9464`, `0.0.0.0:9464` or `[::]:9464`. A port alone is one of this machine.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) for anything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let local = |port: &str| port.parse().ok().map(|port| SocketAddr::new(DEFAULT_ADDRESS.ip(), port));
        let port = text.strip_prefix("localhost").unwrap_or(text);
        let address = match (text, port.strip_prefix(':')) {
            ("off", _) => return Ok(Self::Off),
            (_, Some(port)) => local(port),
            (_, None) => local(text).or_else(|| text.parse().ok()),
        };
        address.map(Self::At).ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("`{text}` is not an address of the admin port"))
                .with_help("write `off`, a port such as 9464, or an address such as 0.0.0.0:9464")
        })
    }

    /// Whether an app with this setting answers over HTTP.
    #[cfg(feature = "dashboard")]
    pub(crate) fn is_wanted(port: Option<Self>) -> bool {
        !matches!(port, None | Some(Self::Off))
    }

    /// Where a program of these settings answers, for those on the same machine; `None` when it does not.
    #[cfg(all(feature = "cli", feature = "admin"))]
    pub(crate) fn reached_at(self) -> Option<SocketAddr> {
        match self {
            Self::Off => None,
            Self::Default => Some(DEFAULT_ADDRESS),
            Self::At(address) => Some(match address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => {
                    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port())
                }
                IpAddr::V6(ip) if ip.is_unspecified() => {
                    SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), address.port())
                }
                _ => address,
            }),
        }
    }
}

impl fmt::Display for AdminPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Default => DEFAULT_ADDRESS.fmt(f),
            Self::At(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let table = [
            ("off", "off"),
            ("9464", "127.0.0.1:9464"),
            (":8080", "127.0.0.1:8080"),
            ("localhost:8080", "127.0.0.1:8080"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:80", "[::1]:80"),
        ];
        for (text, meant) in table {
            assert_eq!(AdminPort::parse(text).unwrap().to_string(), meant, "{text}");
        }
        for bad in ["", "on", "localhost", "rabbit:80", "65536", "1.2.3.4"] {
            assert_eq!(AdminPort::parse(bad).unwrap_err().kind(), ErrorKind::Config, "{bad}");
        }
    }
}
