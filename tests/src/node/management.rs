//! The management API of a node: what an operator does to a running broker, in milliseconds.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::RabbitNode;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// `guest:guest`, as HTTP wants it.
const GUEST: &str = "Z3Vlc3Q6Z3Vlc3Q=";

impl RabbitNode {
    /// Asks the management API, and demands that it is done.
    ///
    /// # Panics
    /// When the node has no management API, or refuses.
    pub async fn manage(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.try_manage(method, path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Asks the management API. Says the status and the answer.
    ///
    /// # Panics
    /// When the node has no management API, or it does not answer.
    pub async fn try_manage(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let port = self.management_port.expect("a node with the management API");
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = format!(
            "{method} /api/{path} HTTP/1.0\r\nAuthorization: Basic {GUEST}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let asking = async {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            std::io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
        };
        let answer = tokio::time::timeout(PATIENCE, asking).await.expect("an answer in time");
        let answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("{method} {path}: {head}"));
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// Makes a virtual host in which `guest` may do everything.
    pub async fn add_vhost(&self, vhost: &str) {
        self.manage("PUT", &format!("vhosts/{vhost}"), None).await;
        self.allow("guest", vhost, ".*").await;
    }

    /// Deletes a virtual host with everything in it.
    pub async fn delete_vhost(&self, vhost: &str) {
        self.manage("DELETE", &format!("vhosts/{vhost}"), None).await;
    }

    /// Lets a user configure, write and read what this pattern matches.
    pub async fn allow(&self, user: &str, vhost: &str, pattern: &str) {
        let all = serde_json::json!({ "configure": pattern, "write": pattern, "read": pattern });
        self.manage("PUT", &format!("permissions/{vhost}/{user}"), Some(all)).await;
    }

    /// Gives a user this password; makes the user when there is none.
    pub async fn set_password(&self, user: &str, password: &str) {
        let user_and_tags = serde_json::json!({ "password": password, "tags": "" });
        self.manage("PUT", &format!("users/{user}"), Some(user_and_tags)).await;
    }
}
