//! `dlq` as people and scripts use it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "clippy does not see that these scenarios are tests")]

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bus_runtime::{BrokerUrl, Envelope, ExchangeName, RoutingKey};
use bus_tests::arena::{Arena, rabbitmq};
use bus_tests::proxy::{Proxy, Side};

/// How a client begins to acknowledge a message: class and method of `basic.ack`.
const ACK: [u8; 4] = [0, 60, 0, 80];

/// The program, in its corner of the broker.
struct Letters {
    url: String,
    prefix: String,
}

impl Letters {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut letters = Command::new(env!("CARGO_BIN_EXE_letters"));
        letters.args(arguments).env_clear().env("BROKER_URL", &self.url);
        letters.env("LETTERS_PREFIX", &self.prefix).stdin(Stdio::null());
        letters
    }

    fn told(&self, arguments: &[&str]) -> (i32, String) {
        told(&mut self.command(arguments))
    }

    /// What a command prints that must succeed.
    fn ok(&self, arguments: &[&str]) -> String {
        let (code, text) = self.told(arguments);
        assert_eq!(code, 0, "{arguments:?}: {text}");
        text
    }
}

fn told(command: &mut Command) -> (i32, String) {
    let output = command.output().expect("the program starts");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), text)
}

async fn corner() -> Option<(Arena, Letters)> {
    let arena = rabbitmq().await?;
    let url = bus_tests::node::shared().await?.url().to_owned();
    let letters = Letters { url, prefix: arena.name("").to_string() };
    letters.ok(&["setup"]);
    Some((arena, letters))
}

/// Puts so many messages with the dead letters, as if by hand.
async fn bury(arena: &Arena, count: u32) {
    for number in 0..count {
        let key = RoutingKey::new(arena.name("letters.dead").as_str()).unwrap();
        let envelope = Envelope::new(ExchangeName::default_exchange(), key, number.to_string());
        let _ = arena.transport().publish(Arc::new(envelope)).await.unwrap();
    }
    arena.until_ready("letters.dead", count.into()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_first_look_to_the_replay() {
    let Some((arena, letters)) = corner().await else { return };
    for key in ["letter.1", "letter.2", "letter.3", "letter.4"] {
        letters.ok(&["publish", key, "{\"page\":\"home\"}"]);
    }
    letters.ok(&["run", "--once"]);
    arena.until_ready("letters.dead", 4).await;

    let table = letters.ok(&["dlq", "ls"]);
    assert!(table.starts_with("ID ") && table.contains("can't read \"letter.4\""), "{table}");
    assert_eq!(letters.ok(&["dlq", "list"]).lines().count(), 5);
    let lines = letters.ok(&["dlq", "ls", "-o", "jsonl"]);
    let items: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: BTreeSet<_> = items.iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 4);
    let two: serde_json::Value =
        serde_json::from_str(&letters.ok(&["dlq", "ls", "-n", "2", "-o", "json"])).unwrap();
    assert_eq!(
        (&two["schema"], &two["total"], &two["is_cut"]),
        (&"bus.dlq/1".into(), &4.into(), &true.into())
    );
    assert_eq!(two["items"][0]["id"], items[0]["id"], "looking changes nothing");

    let groups = letters.ok(&["dlq", "groups", "-o", "jsonl"]);
    assert!(groups.lines().count() == 1 && groups.contains("\"count\":4"), "{groups}");
    assert!(letters.ok(&["dlq", "stats"]).contains("failed 4"));
    let id = items[0]["id"].as_str().unwrap();
    let shown = letters.ok(&["dlq", "show", id]);
    for part in
        ["letters::read failed in its only attempt.", "\"page\": \"home\"", "bus-handler: letters::read", id]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert_eq!(letters.told(&["dlq", "show", "nothing"]).0, 1);

    let (code, text) = letters.told(&["dlq", "ls", "--where", "age<2h && eror~x"]);
    let wanted =
        "there is no field `eror`; did you mean `error`? (column 11)\n    age<2h && eror~x\n              ^";
    assert!(code == 2 && text.contains(wanted), "{code} {text}");
    assert_eq!(letters.told(&["dlq", "ls", "--queue", "nobodys"]).0, 78);

    let text = letters.ok(&["dlq", "replay", "--where", "key=letter.2", "--dry-run"]);
    assert_eq!(text, "would replay 1 letter\n");
    let (code, text) = letters.told(&["dlq", "replay", "--canary", "1", "--canary-wait", "200ms"]);
    assert!(
        code == 1 && text.contains("canary: 0 of 1 handled, 0 dead again, 1 not heard of"),
        "{code} {text}"
    );
    assert_eq!(letters.ok(&["dlq", "replay"]), "replayed 3 letters\n");
    assert!(told(letters.command(&["run", "--once"]).env("MENDED", "1")).0 == 0);
    assert_eq!(letters.ok(&["dlq", "ls"]), "no dead letters\n");
    assert_eq!(arena.ready("letters").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn purge_asks_and_what_was_exported_comes_back() {
    let Some((arena, letters)) = corner().await else { return };
    bury(&arena, 5).await;
    let (code, text) = letters.told(&["dlq", "purge"]);
    assert!(code == 2 && text.contains("5 letters") && text.contains("Nothing is done"), "{code} {text}");
    letters.ok(&["dlq", "purge", "--dry-run"]);
    assert_eq!(arena.ready("letters.dead").await, 5);

    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    assert!(letters.ok(&["dlq", "export", path]).contains("exported 5 letters"));
    let piped = letters.command(&["dlq", "export"]).output().unwrap();
    assert_eq!(piped.stdout, std::fs::read(path).unwrap());
    assert_eq!(letters.ok(&["dlq", "purge", "--yes", "--where", "body=3"]), "deleted 1 letter\n");
    assert_eq!(letters.ok(&["dlq", "purge", "--yes"]), "deleted 4 letters\n");
    assert!(letters.ok(&["dlq", "import", path]).contains("imported 5 letters"));
    arena.until_ready("letters.dead", 5).await;

    let broken = [piped.stdout, b"nonsense\n".to_vec()].concat();
    std::fs::write(path, broken).unwrap();
    let (code, text) = letters.told(&["dlq", "import", path]);
    assert!(code == 2 && text.contains("line 6 is not JSON"), "{code} {text}");
    assert_eq!(arena.ready("letters.dead").await, 5, "nothing is imported of a file with a mistake");
}

/// What lies in both queues, each once.
async fn bodies(arena: &Arena) -> BTreeSet<Vec<u8>> {
    let both = [arena.take("letters").await, arena.take("letters.dead").await].concat();
    both.iter().map(|envelope| envelope.body.to_vec()).collect()
}

async fn begun(arena: &Arena, letters: &Letters) -> Child {
    let mut replay = letters.command(&["dlq", "replay", "--rate", "10/s"]);
    let replay = replay.stdout(Stdio::piped()).spawn().unwrap();
    while arena.ready("letters").await < 3 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    replay
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_is_killed_loses_nothing() {
    let Some((arena, letters)) = corner().await else { return };
    bury(&arena, 200).await;
    let mut replay = begun(&arena, &letters).await;
    replay.kill().unwrap();
    replay.wait().unwrap();
    // The broker takes back what the process held some time after its connection is gone.
    let mut all = BTreeSet::new();
    let taken = tokio::time::timeout(std::time::Duration::from_secs(30), async {
        while all.len() < 200 {
            all.extend(bodies(&arena).await);
        }
    });
    assert!(taken.await.is_ok(), "only {} of 200 are there", all.len());
}

/// The connection is lost between the copy of a letter and its removal: there may be two of that letter, and none is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_is_cut_off_loses_nothing() {
    let Some((arena, letters)) = corner().await else { return };
    bury(&arena, 100).await;
    let host = BrokerUrl::parse(&letters.url).unwrap().amqp().unwrap().hosts()[0].clone();
    let proxy = Proxy::start(host.port);
    let (there, here) = (format!("{}:{}", host.name, host.port), format!("127.0.0.1:{}", proxy.port()));
    let through = Letters { url: letters.url.replace(&there, &here), prefix: letters.prefix.clone() };
    assert_ne!(through.url, letters.url);
    let mut replay = through.command(&["dlq", "replay", "--rate", "10/s"]);
    let replay = replay.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while arena.ready("letters").await < 3 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    proxy.cut_at(Side::Client, &ACK);
    let output = replay.wait_with_output().unwrap();
    assert_eq!(proxy.sprung(), 1, "{output:?}");
    // It says what it did, whether it could go on or not; what is left is replayed by the next one.
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(text.contains("replayed") || text.contains("BUS01"), "{text}");
    // The broker may hear of the end of a connection that was cut from its missing heartbeats only.
    let left = tokio::time::timeout(std::time::Duration::from_secs(60), async {
        while arena.ready("letters").await + arena.ready("letters.dead").await < 100 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    let there = (arena.ready("letters").await, arena.ready("letters.dead").await);
    assert!(left.await.is_ok(), "the broker takes back what was held: {there:?}\n{text}");
    letters.ok(&["dlq", "replay"]);
    assert_eq!(arena.ready("letters.dead").await, 0);
    let moved = arena.ready("letters").await;
    assert_eq!(bodies(&arena).await.len(), 100, "each letter is there");
    assert!((100..=132).contains(&moved), "and few of them twice: {moved}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_ends_a_replay_between_two_letters() {
    let Some((arena, letters)) = corner().await else { return };
    bury(&arena, 200).await;
    let replay = begun(&arena, &letters).await;
    let signal = Command::new("kill").args(["-INT", &replay.id().to_string()]).status().unwrap();
    assert!(signal.success());
    let output = replay.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("stopped by a signal"), "{text}");
    let moved = arena.ready("letters").await;
    assert!(text.starts_with(&format!("replayed {moved} letters")), "{moved}: {text}");
    arena.until_ready("letters.dead", 200 - moved).await;
    assert_eq!(bodies(&arena).await.len(), 200);
}

#[test]
fn the_embedded_broker_of_another_process_cannot_be_seen() {
    let mut letters = Command::new(env!("CARGO_BIN_EXE_letters"));
    let (code, text) = told(letters.args(["dlq", "ls"]).env_clear());
    assert_eq!(code, 78, "{text}");
    assert!(text.contains("`dlq` needs a broker") && text.contains("Bus::dead_letters"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_edited_and_sent_back() {
    let Some((arena, letters)) = corner().await else { return };
    letters.ok(&["publish", "letter.1", r#"{"page":"home","id":12345678901234567890123}"#]);
    letters.ok(&["run", "--once"]);
    arena.until_ready("letters.dead", 1).await;
    let only = || {
        let told = letters.ok(&["dlq", "ls", "-o", "jsonl"]);
        let item: serde_json::Value = serde_json::from_str(&told).unwrap();
        item["id"].as_str().unwrap().to_owned()
    };
    let id = only();
    let test = letters.ok(&["dlq", "show", &id, "--as-test"]);
    assert!(
        test.contains("async fn read_takes_it(bus: TestBus)") && test.contains("\"letter.1\", r#\"{"),
        "{test}"
    );
    let edit = |arguments: &[&str]| letters.told(&[&["dlq", "edit"], arguments].concat());
    let (code, text) = edit(&[&id, "--body", r#"{"page":"away"}"#, "--dry-run"]);
    assert_eq!((code, only()), (0, id.clone()), "{text}");
    assert!(
        text.contains("-   \"page\": \"home\",\n") && text.contains("+   \"page\": \"away\"\n"),
        "{text}"
    );
    for wrong in [&["--body", "{\"page\":"][..], &["--set", "page.of=1"], &["-H", "bus-reason=none"]] {
        let (code, text) = edit(&[&[id.as_str()], wrong].concat());
        assert_eq!((code, only()), (2, id.clone()), "{text}");
    }
    assert_eq!(edit(&["nobody", "--set", "page=away"]).0, 1);
    let (code, text) = edit(&[&id]);
    assert!(code == 78 && text.contains("neither VISUAL nor EDITOR is set"), "{text}");
    // An editor that changes nothing, one that fails, and one that changes a word.
    let with = |editor: &str| told(letters.command(&["dlq", "edit", &id]).env("EDITOR", editor));
    let (code, text) = with("true");
    assert_eq!((code, text.as_str(), only()), (0, "nothing has changed\n", id.clone()));
    assert_eq!((with("false").0, only()), (78, id.clone()));
    let (code, text) = with("sed -i s/home/away/");
    assert!(code == 0 && text.contains("+   \"page\": \"away\",\n"), "{text}");
    let edited = only();
    assert!(text.contains(&format!("send it back: dlq replay --id {edited}\n")), "{text}");
    let (code, text) = edit(&[&edited, "-H", "origin=by hand"]);
    assert!(code == 0 && text.contains("+ origin: by hand\n"), "{text}");
    let id = only();
    letters.ok(&["dlq", "replay", "--id", &id]);
    arena.until_ready("letters", 1).await;
    let sent = arena.take("letters").await.remove(0);
    assert_eq!(sent.body, r#"{"page":"away","id":12345678901234567890123}"#.as_bytes());
    assert_eq!(sent.headers.text("origin"), Some("by hand"));
}
