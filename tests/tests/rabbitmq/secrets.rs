//! Passwords: changed under a running program, and never shown, however much is logged.

use std::process::{Child, Command, Stdio};

use bus_runtime::conformance::eventually;
use bus_tests::node::RabbitNode;

/// The end differs; the beginning must not be seen, in any spelling.
const PASSWORDS: [&str; 2] = ["S3CR3T/xyz-one", "S3CR3T/xyz-two"];

/// How the beginning of the passwords looks: as it is, percent-encoded, as the bytes of a log of Rust, and in base64 at each of
/// the three places where it can begin.
const SPELLINGS: [&str; 6] =
    ["S3CR3T/xyz", "S3CR3T%2Fxyz", "83, 51, 67, 82, 51, 84", "UzNDUjNUL3h5", "MzQ1IzVC94eX", "M0NSM1QveHl6"];

fn url(node: &RabbitNode, password: &str) -> String {
    format!("amqp://app:{}@127.0.0.1:{}", password.replace('/', "%2F"), node.port())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_password_is_used_and_never_shown() {
    let Some(node) = RabbitNode::try_start().await else { return };
    node.ctl(&["add_user", "app", PASSWORDS[0]]).await;
    node.ctl(&["set_permissions", "app", ".*", ".*", ".*"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (secret, log) = (folder.path().join("url"), folder.path().join("log"));
    std::fs::write(&secret, url(&node, PASSWORDS[0])).expect("a file");
    let mut shows = Command::new(env!("CARGO_BIN_EXE_shows"));
    shows.args(["run", "--log-format", "json"]).env_clear().env("RUST_LOG", "trace");
    shows.env("BROKER_URL_FILE", &secret).stdin(Stdio::null()).stdout(Stdio::null());
    let mut shows =
        Killed(shows.stderr(std::fs::File::create(&log).expect("a file")).spawn().expect("it starts"));
    let logged = || std::fs::read_to_string(&log).unwrap_or_default();
    eventually("the start", async || logged().contains("\"message\":\"ready\"")).await;

    node.ctl(&["change_password", "app", PASSWORDS[1]]).await;
    std::fs::write(&secret, url(&node, PASSWORDS[1])).expect("a file");
    node.ctl(&["close_all_connections", "for a test"]).await;
    eventually("both connections", async || logged().matches("connected to RabbitMQ again").count() >= 2)
        .await;

    // A password that is wrong for good is told, without showing it, and does not end the program.
    node.ctl(&["change_password", "app", "other"]).await;
    node.ctl(&["close_all_connections", "for a test"]).await;
    eventually("the refusal", async || logged().contains("BUS0103")).await;
    let _ = Command::new("kill").arg(shows.0.id().to_string()).status().expect("kill starts");
    let ended =
        tokio::task::spawn_blocking(move || shows.0.wait().expect("it ends")).await.expect("no panic");
    assert!(ended.success(), "{ended}: {}", logged());
    let logged = logged();
    assert!(logged.contains("\"target\":\"lapin::"), "the client library logs too");
    for spelling in SPELLINGS {
        let shown = logged.lines().find(|line| line.contains(spelling));
        assert_eq!(shown, None, "the password is shown as {spelling}");
    }
}

/// A program that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
