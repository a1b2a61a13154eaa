//! What can be wrong with a broker's URL although it can be read.

use std::net::IpAddr;

use super::Diagnosis;
use crate::broker_url::{AmqpUrl, TlsOptions};

/// Points out what surprises people.
pub(super) fn traps(url: &AmqpUrl, tls: &TlsOptions, found: &mut Diagnosis) {
    let is_local = url.hosts().iter().all(|host| is_this_machine(&host.name));
    if url.user() == "guest" && !is_local && !url.external {
        found.warn(
            "url",
            "the user is `guest`, who may only log in from the machine of the broker",
            "create a user: rabbitmqctl add_user, rabbitmqctl set_permissions",
        );
    }
    match &url.tls {
        None if !is_local => found.warn(
            "url",
            "user, password and messages travel in plain text",
            "use amqps://, unless you trust everybody between here and the broker",
        ),
        Some(options) if options.unverified => found.warn(
            "url",
            "verify=verify_none: whoever is on the way can pretend to be the broker",
            "trust its authority instead: `?cacertfile=`",
        ),
        None if *tls != TlsOptions::default() => found.warn(
            "url",
            "BUS_TLS_* variables are set, and the URL begins with amqp://",
            "write amqps://, or unset them",
        ),
        _ => {}
    }
    if url.heartbeat == Some(0) {
        found.warn(
            "url",
            "heartbeat=0: a connection that died without a word is never noticed",
            "leave the option out; 10 s is the default",
        );
    }
    if url.vhost_is_implied {
        found.ok("url", "no virtual host is named, so it is `/`");
    }
}

fn is_this_machine(name: &str) -> bool {
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker_url::BrokerUrl;

    #[test]
    fn traps_are_named() {
        // URL, and words of each warning
        let table: [(&str, &[&str]); 7] = [
            ("amqp://localhost/%2f", &[]),
            ("amqp://app:x@127.0.0.1/v", &[]),
            ("amqp://rabbit/v", &["`guest`", "plain text"]),
            ("amqp://app:x@rabbit/v", &["plain text"]),
            ("amqps://app:x@rabbit/v", &[]),
            ("amqps://app:x@rabbit/v?verify=verify_none", &["verify_none"]),
            ("amqp://localhost/v?heartbeat=0", &["heartbeat=0"]),
        ];
        for (text, words) in table {
            let mut found = Diagnosis::default();
            traps(BrokerUrl::parse(text).unwrap().amqp().unwrap(), &TlsOptions::default(), &mut found);
            let told = found.table();
            assert_eq!(told.matches("warn").count(), words.len(), "{told}");
            for word in words {
                assert!(told.contains(word), "{told}");
            }
        }
    }
}
