//! The command `doctor`: what it finds, and the exit code of each.

use std::process::{Command, Stdio};

use bus_tests::node::RabbitNode;

const PASSWORD: &str = "S3CR3T-xyz";

/// The exit code and everything that it says.
fn told(variables: &[(&str, &str)], arguments: &[&str]) -> (i32, String) {
    let mut shows = Command::new(env!("CARGO_BIN_EXE_shows"));
    shows.args(arguments).env_clear().envs(variables.iter().copied()).stdin(Stdio::null());
    let output = shows.output().expect("it starts");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
    assert!(!text.contains(PASSWORD), "{text}");
    (output.status.code().expect("no signal ends it"), text)
}

fn says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "it should say {word:?}:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doctor() {
    let Some(node) = RabbitNode::try_start().await else { return };
    let url = node.url();
    let sound = [("BROKER_URL", url.as_str())];
    let (code, text) = told(&sound, &["doctor"]);
    assert_eq!(code, 0, "{text}");
    says(
        &text,
        &["from BROKER_URL", "ok    dns ", "ok    connect ", "as user `guest`, in vhost `/`", "RabbitMQ 3."],
    );
    says(&text, &["ok    ack timeout", "1800 s assumed", "ok    clock", "agrees with this machine's"]);
    says(&text, &["2047 channels", "ok    permissions", "warn  topology", "`run` and `setup` declare it"]);

    assert_eq!(told(&sound, &["setup"]).0, 0);
    let (code, text) = told(&sound, &["doctor", "-o", "json"]);
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((code, document["schema"].as_str()), (0, Some("bus.doctor/1")), "{text}");
    let checks = document["items"].as_array().expect("items");
    assert!(checks.iter().all(|check| check["status"] == "ok"), "{text}");
    let queues = node.ctl(&["list_queues", "name"]).await;
    assert!(!queues.contains("bus.doctor"), "it leaves nothing behind: {queues}");

    let (code, text) = told(&[sound[0], ("STAGE", "after")], &["doctor"]);
    assert_eq!(code, 1, "{text}");
    says(&text, &["fail  topology", "declared otherwise than the code says", "topology diff"]);

    // What stands on the command line counts, and nobody reads what it replaces.
    let (code, text) = told(&[("BROKER_URL", "localhost:1")], &["-b", &url, "doctor"]);
    assert_eq!(code, 0, "{text}");
    says(&text, &["from --broker-url"]);
    refusals(&node).await;
}

async fn refusals(node: &RabbitNode) {
    let url = node.url();
    let login = |login: &str| url.replace("guest:guest", login);
    let table = [
        (login(&format!("app:{PASSWORD}")), 77, ["fail  login", "BUS0103", "refused user `app`"]),
        (format!("{url}/prdo"), 77, ["fail  login", "BUS0104", "rabbitmqctl add_vhost prdo"]),
        ("amqp://localhost:1".to_owned(), 69, ["warn  connect", "fail  connect", "BUS0101"]),
        ("amqp://app@nowhere.invalid".to_owned(), 69, ["warn  dns", "plain text", "BUS0102"]),
        ("localhost:5672".to_owned(), 78, ["BUS0006", "has no scheme", "amqp://localhost:5672"]),
    ];
    for (url, wanted, words) in table {
        let (code, text) = told(&[("BROKER_URL", &url)], &["doctor"]);
        assert_eq!(code, wanted, "{text}");
        says(&text, &words);
    }
    let (code, text) = told(&[("BROKER_URL", "amqp://localhost:1")], &["run", "--check"]);
    assert_eq!(code, 69, "it does not wait for the broker: {text}");
    says(&text, &["fail  connect"]);
    let (code, text) = told(&[("BUS_REQUIRE_BROKER", "1")], &["doctor"]);
    assert_eq!(code, 78, "{text}");

    // A user who may only read what is there.
    node.ctl(&["add_user", "reader", PASSWORD]).await;
    node.ctl(&["set_permissions", "reader", "", "", ".*"]).await;
    let reader = login(&format!("reader:{PASSWORD}"));
    let (code, text) = told(&[("BROKER_URL", &reader)], &["doctor"]);
    assert_eq!(code, 77, "{text}");
    says(
        &text,
        &["warn  permissions", "lacks the configure permission", "rabbitmqctl set_permissions -p / reader"],
    );
    let (_, text) = told(&[], &["-b", &reader, "doctor"]);
    says(&text, &["whoever runs `ps` on this machine sees the password"]);
    assert!(!text.contains(PASSWORD), "{text}");
}
