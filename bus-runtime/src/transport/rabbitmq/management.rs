//! A reader of RabbitMQ's management API: the one way to see bindings. `GET` only.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::tls::{self, Tls};
use crate::broker_url::{AmqpUrl, Host, TlsOptions};
use crate::error::{Error, ErrorKind};
use crate::topology::BindingDefinition;
use crate::transport::Survey;

/// The port of the management API.
const MANAGEMENT_PORT: u16 = 15672;
/// The port of the management API over TLS.
const MANAGEMENT_TLS_PORT: u16 = 15671;
/// How long one question may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer that is read: some 300 000 bindings.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

#[derive(Deserialize)]
struct Overview {
    rabbitmq_version: String,
}

/// Asks for the broker's version and for every binding of the virtual host.
///
/// # Errors
/// Why it cannot be asked.
pub(super) async fn survey(
    url: &AmqpUrl,
    host: &Host,
    at: Option<&str>,
    mut tls: TlsOptions,
) -> Result<Survey, Error> {
    let address = match at {
        Some(text) => ApiAddress::parse(text)?,
        // A password that goes to the broker over TLS goes nowhere without.
        None => ApiAddress::beside(host, url.is_tls()),
    };
    if at.is_some() {
        tls.server_name = None;
    }
    let tls = address.tls.then(|| Tls::with(&tls)?.to(&address.host)).transpose()?;
    let login = crate::base64::encode(format!("{}:{}", url.user, url.password).as_bytes());
    let api = Api { address, tls, login };
    let Overview { rabbitmq_version } = api.get("/api/overview").await?;
    let mut bindings: Vec<BindingDefinition> =
        api.get(&format!("/api/bindings/{}", url.vhost_in_path())).await?;
    bindings.retain(|binding| !binding.source.is_empty());
    Ok(Survey { server: format!("RabbitMQ {rabbitmq_version}"), bindings })
}

/// Where the management API is.
#[derive(Debug, PartialEq)]
struct ApiAddress {
    tls: bool,
    host: Host,
    path: String,
}

impl ApiAddress {
    /// Where it is when nobody says.
    fn beside(host: &Host, tls: bool) -> Self {
        let port = if tls { MANAGEMENT_TLS_PORT } else { MANAGEMENT_PORT };
        Self { tls, host: Host { name: host.name.clone(), port }, path: String::new() }
    }

    fn parse(text: &str) -> Result<Self, Error> {
        let bad = |help: &str| {
            Error::new(ErrorKind::Url, format!("`{text}` is not the address of a management API"))
                .with_help(help)
        };
        let (tls, default_port, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, MANAGEMENT_PORT, rest),
            (_, Some(rest)) => (true, MANAGEMENT_TLS_PORT, rest),
            (None, None) => return Err(bad("write http://host:15672, or https://host:15671")),
        };
        if rest.contains('@') {
            // The text is not shown: it has a password in it.
            return Err(Error::new(ErrorKind::Url, "the address of the management API has a user in it")
                .with_help("http://host:15672; user and password are those of the broker URL"));
        }
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (name, port) = match authority.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => {
                (name, port.parse().map_err(|_| bad("the port is a number: http://host:15672"))?)
            }
            _ => (authority, default_port),
        };
        let name = name.trim_start_matches('[').trim_end_matches(']').to_owned();
        let path = path.trim_end_matches('/');
        let path = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(Self { tls, host: Host { name, port }, path })
    }
}

/// The management API, as a user sees it.
struct Api {
    address: ApiAddress,
    tls: Option<Tls>,
    login: String,
}

impl Api {
    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        let unseen = |why: String| {
            let scheme = if self.tls.is_some() { "https" } else { "http" };
            Error::new(
                ErrorKind::Connect,
                format!("the management API at {scheme}://{} {why}", self.address.host),
            )
            .with_help(
                "enable it with `rabbitmq-plugins enable rabbitmq_management`, or say where it is: --management-url",
            )
        };
        let answer = match timeout(ANSWER_TIMEOUT, self.exchange(path)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                return Err(tls::in_words(&error, &self.address.host)
                    .unwrap_or_else(|| unseen(format!("cannot be reached ({error})"))));
            }
            Err(_) => return Err(unseen(format!("does not answer within {} s", ANSWER_TIMEOUT.as_secs()))),
        };
        match read(&answer) {
            Some((200, body)) => serde_json::from_slice(&body)
                .map_err(|error| unseen("answers what Bus cannot read".to_owned()).with_source(error)),
            Some((401 | 403, _)) => Err(unseen("refuses the user; it needs the tag `management`".to_owned())),
            Some((status, _)) => Err(unseen(format!("answers {status} to GET {path}"))),
            None => Err(unseen("does not speak HTTP".to_owned())),
        }
    }

    /// Sends one request on a connection of its own, and returns all that comes back.
    async fn exchange(&self, path: &str) -> std::io::Result<Vec<u8>> {
        let Self { address: ApiAddress { host, path: prefix, .. }, tls, login } = self;
        let request = format!(
            "GET {prefix}{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {login}\r\n\
             Accept: application/json\r\nConnection: close\r\n\r\n"
        );
        let stream = TcpStream::connect((host.name.as_str(), host.port)).await?;
        match tls {
            None => ask(stream, &request).await,
            Some(tls) => ask(tls.secure(stream).await?, &request).await,
        }
    }
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> std::io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    match stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await {
        // RabbitMQ ends its side of TLS without a goodbye. An answer that is cut off cannot be read as JSON.
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof && !answer.is_empty() => Ok(answer),
        read => read.map(|_| answer),
    }
}

/// The status and the body of a whole answer.
fn read(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let body = &answer[end + 4..];
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.lines().any(|line| {
        let line = line.to_ascii_lowercase();
        line.starts_with("transfer-encoding:") && line.contains("chunked")
    });
    let body = if chunked { unchunked(body)? } else { body.to_vec() };
    Some((status, body))
}

/// The body without the lengths of its chunks.
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n")?;
        let length = std::str::from_utf8(&rest[..line]).ok()?.split(';').next()?.trim();
        let length = usize::from_str_radix(length, 16).ok()?;
        rest = &rest[line + 2..];
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..length)?);
        rest = rest.get(length + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_whole_or_in_chunks() {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]";
        assert_eq!(read(whole), Some((200, b"[]".to_vec())));
        let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n";
        assert_eq!(read(chunks), Some((200, b"[1,2]".to_vec())));
        assert_eq!(read(&chunks[..chunks.len() - 12]), None);
        assert_eq!(read(b"SSH-2.0"), None);
    }

    #[test]
    fn an_address_has_a_host_and_perhaps_a_port_and_a_path() {
        let table = [
            ("http://rabbit", (false, "rabbit", 15672, "")),
            ("http://rabbit:80/", (false, "rabbit", 80, "")),
            ("http://[::1]:15672/mq/", (false, "::1", 15672, "/mq")),
            ("http://[::1]", (false, "::1", 15672, "")),
            ("https://rabbit", (true, "rabbit", 15671, "")),
            ("https://rabbit:443/mq", (true, "rabbit", 443, "/mq")),
        ];
        for (text, (tls, name, port, path)) in table {
            let host = Host { name: name.to_owned(), port };
            assert_eq!(
                ApiAddress::parse(text).unwrap(),
                ApiAddress { tls, host, path: path.to_owned() },
                "{text}"
            );
        }
        for bad in ["ftp://rabbit", "rabbit:15672", "http://a:S3CR3T@rabbit", "http://rabbit:http"] {
            let error = ApiAddress::parse(bad).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Url, "{bad}");
            assert!(!error.to_string().contains("S3CR3T"), "{error}");
        }
        let broker = Host { name: "rabbit".to_owned(), port: 5671 };
        assert_eq!(ApiAddress::beside(&broker, true), ApiAddress::parse("https://rabbit").unwrap());
        assert_eq!(ApiAddress::beside(&broker, false), ApiAddress::parse("http://rabbit").unwrap());
    }
}
