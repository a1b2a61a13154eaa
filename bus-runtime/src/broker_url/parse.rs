//! From the text of an address to its parts. No error text shows what may be a password.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::{AMQP_PORT, AMQPS_PORT, AmqpUrl, BrokerUrl, Host, Target, TlsOptions, bad_url};
use crate::error::Error;
use crate::names::ExchangeName;

/// The smallest frame that AMQP 0-9-1 lets a peer ask for.
const FRAME_MAX_MIN: u32 = 4096;

const OPTIONS: [&str; 5] = ["channel_max", "connection_timeout", "exchange", "frame_max", "heartbeat"];
/// The options of `amqps://` alone, as RabbitMQ's URI specification names them.
const TLS_OPTIONS: [&str; 6] =
    ["auth_mechanism", "cacertfile", "certfile", "keyfile", "server_name_indication", "verify"];

pub(super) fn parse(text: &str) -> Result<BrokerUrl, Error> {
    let text = text.trim();
    if text.is_empty() {
        return Err(bad_url("the broker URL is empty", "write `amqp://localhost`, or `embedded:`"));
    }
    if let Some(rest) = text.strip_prefix("embedded") {
        return match rest {
            "" | ":" | "://" => Ok(BrokerUrl::embedded()),
            _ => Err(bad_url(
                format!("broker URL {:?} has something after `embedded:`", masked(text)),
                "write `embedded:` alone; the embedded broker has no address",
            )),
        };
    }
    match text.split_once("://") {
        Some(("amqp", rest)) => amqp(rest, None).map(|url| BrokerUrl(Target::Amqp(Box::new(url)))),
        Some(("amqps", rest)) => {
            amqp(rest, Some(TlsOptions::default())).map(|url| BrokerUrl(Target::Amqp(Box::new(url))))
        }
        Some((scheme, _)) => Err(bad_url(
            format!("broker URL {:?} has the unsupported scheme `{scheme}`", masked(text)),
            "only `amqp://`, `amqps://` and `embedded:` URLs are supported",
        )),
        None => Err(bad_url(
            format!("broker URL {:?} has no scheme", masked(text)),
            format!("did you mean `amqp://{}`?", masked(text.trim_start_matches('/'))),
        )),
    }
}

/// What stands after `amqp://` or, with TLS, after `amqps://`.
fn amqp(rest: &str, tls: Option<TlsOptions>) -> Result<AmqpUrl, Error> {
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, query),
        None => (rest, ""),
    };
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (login, hosts),
        // Else the piece before the slash would be taken for a host and shown.
        None if path.contains('@') || query.contains('@') => {
            return Err(bad_url(
                "the user or password in the broker URL contains `/` or `?`",
                "write `%2F` for `/` and `%3F` for `?`",
            ));
        }
        None => ("", authority),
    };
    let has_login = !login.is_empty();
    let (user, password) = match login {
        "" => ("guest", "guest"),
        _ => login.split_once(':').unwrap_or((login, "")),
    };
    let port = if tls.is_some() { AMQPS_PORT } else { AMQP_PORT };
    let (vhost, vhost_is_implied) = vhost(path)?;
    let mut url = AmqpUrl {
        hosts: hosts.split(',').map(|text| host(text, port)).collect::<Result<_, _>>()?,
        user: decode(user, "user")?,
        password: decode(password, "password")?,
        vhost,
        vhost_is_implied,
        exchange: None,
        heartbeat: None,
        connection_timeout: None,
        channel_max: None,
        frame_max: None,
        tls,
        external: false,
        file: None,
    };
    query.split('&').filter(|pair| !pair.is_empty()).try_for_each(|pair| option(&mut url, pair))?;
    agrees(&url, has_login)?;
    Ok(url)
}

/// Refuses options that contradict each other, or the login.
fn agrees(url: &AmqpUrl, has_login: bool) -> Result<(), Error> {
    let Some(tls) = &url.tls else { return Ok(()) };
    if url.external && has_login {
        return Err(bad_url(
            "the broker URL has a user, and `auth_mechanism=external` logs in as the client certificate",
            "leave out the user and its password, or the option",
        ));
    }
    if tls.key_file.is_some() && tls.cert_file.is_none() {
        return Err(bad_url(
            "the broker URL has a `keyfile` and no `certfile`",
            "say where the certificate of that key is: `?certfile=`",
        ));
    }
    if tls.unverified && (tls.ca_file.is_some() || tls.server_name.is_some()) {
        return Err(bad_url(
            "the broker URL says `verify_none`, and what to verify",
            "leave out `verify=verify_none`: with `cacertfile` your own authority is trusted",
        ));
    }
    Ok(())
}

/// `name`, `name:port`, `[ipv6]` or `[ipv6]:port`.
fn host(text: &str, default_port: u16) -> Result<Host, Error> {
    let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, "")) => (name, None),
        Some((name, rest)) => match rest.strip_prefix(':') {
            Some(port) => (name, Some(port)),
            None => {
                return Err(bad_url(
                    format!("the broker URL has `{rest}` after the host `[{name}]`"),
                    format!("a port stands behind a colon: `[{name}]:{default_port}`"),
                ));
            }
        },
        None => match text.rsplit_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        },
    };
    if name.is_empty() {
        return Err(bad_url("the broker URL has no host", "write `amqp://localhost:5672`"));
    }
    if name.contains(':') && !text.starts_with('[') {
        return Err(bad_url(
            format!("the broker URL has the host `{name}`, which has a colon in it"),
            "write an IPv6 address in brackets: `amqp://[::1]:5672`; list further hosts without `amqp://`",
        ));
    }
    let port = match port {
        None => default_port,
        Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
            bad_url(
                format!("the broker URL has the port `{port}` after the host `{name}`"),
                format!("a port is a number from 1 to 65535; RabbitMQ's is {default_port}"),
            )
        })?,
    };
    Ok(Host { name: host_name(decode(name, "host")?, text.starts_with('['))?, port })
}

/// A name that can be looked up, or an address: what is shown to people has to be the same address again.
fn host_name(name: String, in_brackets: bool) -> Result<String, Error> {
    let is_host = match in_brackets {
        true => name.parse::<Ipv6Addr>().is_ok(),
        false => name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_')),
    };
    match is_host {
        true => Ok(name),
        false => Err(bad_url(
            format!("the broker URL has the host `{name}`, which is none"),
            "a host is a name such as `rabbit-1.example.org`, an IPv4 address, or an IPv6 address in brackets",
        )),
    }
}

/// The virtual host, and whether it is `/` only because none is named.
fn vhost(path: &str) -> Result<(String, bool), Error> {
    match path.strip_prefix('/').unwrap_or(path) {
        "" => Ok(("/".to_owned(), true)),
        "/" => Ok(("/".to_owned(), false)),
        name if name.contains('/') => Err(bad_url(
            format!("the broker URL has the virtual host `{name}`, which has a slash in it"),
            format!("a path has one part; write `/{}` if the virtual host has that name", encode(name)),
        )),
        name => Ok((decode(name, "virtual host")?, false)),
    }
}

fn option(url: &mut AmqpUrl, pair: &str) -> Result<(), Error> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    match name {
        "exchange" => {
            let exchange = decode(value, "exchange")?;
            let named = ExchangeName::new(exchange).ok().filter(|exchange| !exchange.is_default());
            url.exchange = Some(named.ok_or_else(|| bad_value(name, value, "the name of an exchange"))?);
        }
        "heartbeat" => url.heartbeat = Some(number(name, value, "seconds, from 0 (none) to 65535")?),
        "connection_timeout" => {
            let millis = number(name, value, "milliseconds")?;
            url.connection_timeout = Some(Duration::from_millis(millis));
        }
        "channel_max" => url.channel_max = Some(number(name, value, "a number of channels up to 65535")?),
        "frame_max" => {
            let bytes: u32 = number(name, value, "a number of bytes")?;
            if bytes < FRAME_MAX_MIN {
                return Err(bad_value(name, value, "at least 4096 bytes"));
            }
            url.frame_max = Some(bytes);
        }
        _ if TLS_OPTIONS.contains(&name) => tls_option(url, name, value)?,
        _ => return Err(unknown_option(name)),
    }
    Ok(())
}

fn tls_option(url: &mut AmqpUrl, name: &str, value: &str) -> Result<(), Error> {
    let Some(tls) = &mut url.tls else {
        return Err(bad_url(
            format!("the broker URL has the option `{name}`, which is for TLS, and begins with `amqp://`"),
            "write `amqps://`, or leave the option out",
        ));
    };
    let value = decode(value, name)?;
    if value.is_empty() {
        return Err(bad_value(name, "", "not empty"));
    }
    match name {
        "cacertfile" => tls.ca_file = Some(value.into()),
        "certfile" => tls.cert_file = Some(value.into()),
        "keyfile" => tls.key_file = Some(value.into()),
        // In Erlang's clients `disable` leaves the name unchecked.
        "server_name_indication" if value != "disable" => tls.server_name = Some(value),
        "verify" if value == "verify_peer" => tls.unverified = false,
        "verify" if value == "verify_none" => tls.unverified = true,
        "auth_mechanism" if value.eq_ignore_ascii_case("plain") => url.external = false,
        "auth_mechanism" if value.eq_ignore_ascii_case("external") => url.external = true,
        "verify" => return Err(bad_value(name, &value, "verify_peer or verify_none")),
        "auth_mechanism" => return Err(bad_value(name, &value, "plain or external")),
        _ => return Err(bad_value(name, &value, "the name that the server's certificate is for")),
    }
    Ok(())
}

fn number<T: std::str::FromStr>(name: &str, value: &str, expected: &str) -> Result<T, Error> {
    value.parse().map_err(|_| bad_value(name, value, expected))
}

fn bad_value(name: &str, value: &str, expected: &str) -> Error {
    bad_url(
        format!("the broker URL sets `{name}` to `{value}`"),
        format!("`{name}` is {expected}, such as `?{name}={}`", example(name)),
    )
}

fn example(option: &str) -> &'static str {
    match option {
        "exchange" => "messages",
        "heartbeat" => "10",
        "connection_timeout" => "5000",
        "channel_max" => "2047",
        "auth_mechanism" => "external",
        "cacertfile" => "/etc/ssl/rabbit-ca.pem",
        "certfile" => "/etc/ssl/client.pem",
        "keyfile" => "/etc/ssl/client.key",
        "server_name_indication" => "rabbit.example.org",
        "verify" => "verify_peer",
        _ => "131072",
    }
}

fn unknown_option(name: &str) -> Error {
    let similar = OPTIONS.iter().chain(&TLS_OPTIONS).find(|known| strsim::levenshtein(known, name) <= 3);
    let help = match similar {
        Some(known) => format!("did you mean `{known}`?"),
        None => {
            format!("the options are {}, and for TLS {}", OPTIONS.join(", "), TLS_OPTIONS.join(", "))
        }
    };
    bad_url(format!("the broker URL has the unknown option `{name}`"), help)
}

/// Replaces `%2F` and the like.
fn decode(text: &str, what: &str) -> Result<String, Error> {
    let bad = || {
        bad_url(
            format!("the {what} in the broker URL has a `%` that two hexadecimal digits do not follow"),
            "write `%25` for `%`",
        )
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, tail @ ..] = rest else { return Err(bad()) };
        bytes.push(hex(*high).zip(hex(*low)).map(|(high, low)| high * 16 + low).ok_or_else(bad)?);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| {
        bad_url(
            format!("the {what} in the broker URL is not UTF-8 once decoded"),
            "write it as percent-encoded UTF-8",
        )
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Writes `%2F` and the like for everything but letters, digits and `-._~`.
pub(super) fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match plain(byte) {
            true => encoded.push(char::from(byte)),
            false => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The text with `***` for whatever may be a user and a password.
fn masked(text: &str) -> String {
    let login = text.find("://").map_or(0, |scheme| scheme + 3);
    match text.rfind('@') {
        Some(at) if at >= login => format!("{}***{}", &text[..login], &text[at..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
