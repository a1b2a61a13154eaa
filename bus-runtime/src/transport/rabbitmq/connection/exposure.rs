//! What others on the way to the broker can see, said once.

use std::net::IpAddr;
use std::sync::Once;

use crate::broker_url::{AmqpUrl, Host};

/// Warns of a password that goes through the internet in plain text, and of a server that could be anyone. Inside a private
/// network plain text is what people choose, so nothing is said there.
pub(super) fn warn(url: &AmqpUrl, host: &Host, address: IpAddr) {
    static SAID: Once = Once::new();
    match &url.tls {
        Some(tls) if tls.unverified => {
            tracing::warn!(%host, help = "trust its authority instead: `?cacertfile=`", "the server's certificate is not checked (verify=verify_none): whoever is on the way can read and change everything");
        }
        None if is_public(address) => SAID.call_once(|| {
            tracing::warn!(%host, help = "use amqps://", "user, password and messages go through the internet in plain text");
        }),
        _ => {}
    }
}

/// Whether an address is one of the internet, and neither of this machine nor of a private network.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            !(address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_unspecified()
                || is_shared)
        }
        IpAddr::V6(address) => {
            !(address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_unspecified())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_networks_are_not_public() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.17.0.2",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.1.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
