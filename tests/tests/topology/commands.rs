//! The commands as people and scripts use them, against a node with the management API.

use std::process::{Command, Output, Stdio};

use bus_runtime::topology::{Binding, Destination, Topology};
use bus_runtime::{BindingKey, BrokerUrl, ExchangeName, QueueName};
use bus_tests::node::{RabbitNode, connect};

struct Shows {
    node: RabbitNode,
    management: String,
}

impl Shows {
    fn run(&self, stage: &str, vhost: &str, arguments: &[&str]) -> Output {
        let url = format!("{}/{vhost}", self.node.url());
        let mut shows = Command::new(env!("CARGO_BIN_EXE_shows"));
        shows.args(arguments).env_clear().env("STAGE", stage).env("BROKER_URL", url);
        shows.env("BUS_MANAGEMENT_URL", &self.management).stdin(Stdio::null());
        shows.output().expect("the program starts")
    }

    /// The exit code and what it printed, without what is another one with every run.
    fn told(&self, stage: &str, arguments: &[&str]) -> (i32, String) {
        let output = self.run(stage, "", arguments);
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap().replace(&self.node.port().to_string(), "PORT");
        (output.status.code().unwrap(), text.replace("RabbitMQ 3.10.8", "RabbitMQ VERSION"))
    }
}

const DIFF: &str = "\
\x20 + queue    shows.after.search.react.dead  is missing
  + queue    shows.after.search.react       is missing, bound to react page.#; its bindings are those of shows.before.index.react: was the handler renamed? `formerly` takes the messages over
  ~ queue    tickets                        x-message-ttl is 60000 on the broker and 90000 in the code; 1 message, 0 consumers
  - queue    shows.before.index.react.dead  is ours, and no handler wants it; 0 messages, 0 consumers
  - queue    shows.before.index.react       is ours, and no handler wants it; 0 messages, 0 consumers
  ? binding  audit --by.hand--> tickets     is not ours: somebody else made it
+ 3 missing: topology apply
~ 1 different: topology apply --recreate=changed, which deletes their messages
- 2 left behind: topology apply --prune, when empty and unused
? 1 foreign: stays as it is
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shows() {
    if !bus_tests::node::is_installed() {
        return;
    }
    let node = RabbitNode::start_with_management().await;
    let management = node.management_url().unwrap();
    let shows = Shows { node, management };
    let (code, text) = shows.told("before", &["setup"]);
    assert_eq!(code, 0, "{text}");
    by_hand(&shows.node.url()).await;
    let sent = shows.run("before", "", &["publish", "-e", "audit", "ticket.new"]);
    assert!(sent.status.success(), "{sent:?}");

    assert_eq!(shows.told("after", &["topology", "diff"]), (1, DIFF.to_owned()));
    let (code, text) = shows.told("after", &["topology", "apply"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.starts_with("  declared  queue    shows.after.search.react.dead\n  declared  queue    shows.after.search.react\ndone on"), "{text}");

    recreate_asks(&shows);
    let (code, text) = shows.told("after", &["setup", "--recreate=changed", "--prune", "--yes"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("  recreated queue    tickets, 1 message deleted\n"), "{text}");
    assert!(text.contains("  deleted   queue    shows.before.index.react\n"), "{text}");
    // What others made is still there, although its queue was deleted and declared anew.
    let (code, text) = shows.told("after", &["topology", "diff"]);
    let foreign = "  ? binding  audit --by.hand--> tickets  is not ours: somebody else made it\n? 1 foreign: stays as it is\n";
    assert_eq!((code, text.as_str()), (1, foreign));
    definitions_are_imported_as_they_are(&shows).await;
}

/// Without a terminal and without `--yes`, nothing is done, and what would be is told.
fn recreate_asks(shows: &Shows) {
    let (code, text) = shows.told("after", &["setup", "--recreate=changed"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("  delete queue    tickets   1 message, 0 consumers\n"), "{text}");
    assert!(text.contains("Nothing is done"), "{text}");
    let output = shows.run("after", "", &["topology", "diff", "-o", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], "bus.topology-diff/1");
    let tickets =
        document["items"].as_array().unwrap().iter().find(|item| item["queue"] == "tickets").unwrap();
    assert_eq!((&tickets["change"], &tickets["messages"]), (&"different".into(), &1.into()));
}

async fn by_hand(url: &str) {
    let binding = Binding {
        exchange: ExchangeName::new("audit").unwrap(),
        destination: Destination::Queue(QueueName::new("tickets").unwrap()),
        key: BindingKey::parse("by.hand").unwrap(),
    };
    use bus_runtime::transport::Transport;
    let somebody = connect(url).await;
    somebody.declare(&Topology { bindings: vec![binding], ..Topology::default() }).await.unwrap();
}

async fn definitions_are_imported_as_they_are(shows: &Shows) {
    shows.node.ctl(&["add_vhost", "fresh"]).await;
    shows.node.ctl(&["set_permissions", "-p", "fresh", "guest", ".*", ".*", ".*"]).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let exported = shows.run("after", "fresh", &["definitions"]);
    assert!(exported.status.success(), "{exported:?}");
    std::fs::write(file.path(), &exported.stdout).unwrap();
    shows.node.ctl(&["import_definitions", file.path().to_str().unwrap()]).await;
    let diff = shows.run("after", "fresh", &["topology", "diff"]);
    assert_eq!(diff.status.code(), Some(0), "{diff:?}");
    let applied = shows.run("after", "fresh", &["topology", "apply"]);
    assert!(String::from_utf8(applied.stdout).unwrap().starts_with("nothing to do on"));
    let started = BrokerUrl::parse(&format!("{}/fresh", shows.node.url())).unwrap();
    assert_eq!(started.amqp().unwrap().vhost(), "fresh");
}
