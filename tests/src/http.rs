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
    let mut stream = TcpStream::connect(address).await.expect("somebody listens");
    let mut request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Host") {
        request.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.expect("it takes it");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head.to_owned(), body.to_owned())
}
