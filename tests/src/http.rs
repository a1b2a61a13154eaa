//! As much of an HTTP client as tests need.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Asks, and returns the status and the body as JSON.
///
/// # Panics
/// When nobody answers, or not with JSON.
pub async fn get(address: SocketAddr, path: &str) -> (u16, serde_json::Value) {
    let (status, body) = get_as(address, path, &address.to_string()).await;
    (status, serde_json::from_str(&body).expect("JSON"))
}

/// As [`get`], under another name of the host, and with the body as it is.
///
/// # Panics
/// When nobody answers.
pub async fn get_as(address: SocketAddr, path: &str, host: &str) -> (u16, String) {
    let (status, _, body) = ask(address, path, &[("Host", host)]).await;
    (status, body)
}

/// Asks with these headers, and returns the status, the head and the body.
///
/// # Panics
/// When nobody answers.
pub async fn ask(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (u16, String, String) {
    let Answer { status, head, body } = request(address, "GET", path, headers, "").await;
    (status, head, body)
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON: {error}: {}", self.body))
    }

    /// A header; the first of several.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Asks in any way.
///
/// # Panics
/// When nobody answers.
pub async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut stream = TcpStream::connect(address).await.expect("somebody listens");
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes()).await.expect("it takes it");
    // Some servers keep a connection open although nobody wants that: what was announced is all there is.
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        assert!(stream.read_buf(&mut bytes).await.expect("it answers") > 0, "no head");
    };
    let head = String::from_utf8(bytes.drain(..head_end + 4).collect()).expect("text");
    let announced = head.lines().filter_map(|line| line.split_once(':'));
    let mut announced = announced.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = announced.next().and_then(|(_, length)| length.trim().parse().ok()).unwrap_or(usize::MAX);
    while bytes.len() < length && stream.read_buf(&mut bytes).await.expect("it answers") > 0 {}
    let (head, body) = (head.trim_end(), String::from_utf8(bytes).expect("text"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body }
}
