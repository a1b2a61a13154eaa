//! Questions to a program that runs on this machine, over its admin port.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::admin::AdminPort;
use crate::config::Config;
use crate::error::{Error, ErrorKind};

/// The largest answer that is read: some thousand queues.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Where a program with these settings answers.
pub(super) fn address(port: Option<AdminPort>, config: &Config) -> Result<SocketAddr, Error> {
    port.or(config.http).unwrap_or(AdminPort::Default).reached_at().ok_or_else(|| {
        Error::new(ErrorKind::Config, "the admin port is switched off, so nobody can be asked")
            .with_help("run the program with --http 9464, or BUS_HTTP=9464")
    })
}

/// Nobody is there.
pub(super) fn nobody(address: SocketAddr, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Connect, format!("nobody answers at http://{address}"))
        .with_help("does the program run on this machine, and with the same --http or BUS_HTTP?")
        .with_source(error)
}

/// Asks, and returns the status and the body.
pub(super) async fn ask(
    address: SocketAddr,
    question: &str,
    headers: &str,
    within: Duration,
) -> std::io::Result<(u16, String)> {
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!(
            "{question} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n{headers}Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer).await?;
        let strange = || std::io::Error::other("the answer is not that of a program of Bus");
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(strange)?;
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        Ok((status.ok_or_else(strange)?, body.to_owned()))
    };
    match tokio::time::timeout(within, asking).await {
        Ok(answer) => answer,
        Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
    }
}

/// A name as a part of a path.
pub(super) fn segment(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encoded = name.bytes().map(|byte| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parts_of_paths() {
        assert_eq!(segment("bus.wiki_0/a b"), "bus.wiki_0%2Fa%20b");
    }
}
