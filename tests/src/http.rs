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
    let mut stream = TcpStream::connect(address).await.expect("somebody listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("it takes it");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, body.to_owned())
}
