//! The demo and the feeds, from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use bus_examples::demo::demo;
use bus_examples::summary::Summary;
use bus_runtime::HandlerStats;
use tempfile::TempDir;

/// The handlers that every commit goes through.
const COMMIT_HANDLERS: [&str; 4] = ["scm::record", "tracker::link", "wiki::Wiki::index", "mail::announce"];

/// A repository with so many commits: each writes a page and names a ticket, and every tenth closes its ticket.
fn repository(commits: u64) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    run(git(directory.path()).args(["init", "-q", "-b", "main"]), "");
    let mut stream = String::new();
    for number in 1..=commits {
        let verb = if number % 10 == 0 { "fixes" } else { "see" };
        let message = format!("commit {number}, {verb} #{number}");
        let text = format!("page {number}");
        write!(
            stream,
            "commit refs/heads/main\ncommitter Ada <ada@example.org> {} +0000\ndata {}\n{message}\n\
             M 100644 inline docs/page{number}.md\ndata {}\n{text}\n",
            1_258_970_400 + number,
            message.len(),
            text.len(),
        )
        .unwrap();
    }
    run(git(directory.path()).args(["fast-import", "--quiet"]), &stream);
    directory
}

fn git(directory: &Path) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(directory).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    git.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE");
    git
}

fn forge(directory: &Path, arguments: &[&str], input: &str) -> Output {
    let mut forge = Command::new(env!("CARGO_BIN_EXE_forge"));
    forge.args(arguments).current_dir(directory);
    for name in ["BROKER_URL", "AMQP_URL", "RABBITMQ_URL", "CLOUDAMQP_URL", "HANDLERS", "BUS_REQUIRE_BROKER"]
    {
        forge.env_remove(name);
    }
    forge_output(&mut forge, input)
}

fn forge_output(command: &mut Command, input: &str) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Whoever does not read its input is free to close it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn run(command: &mut Command, input: &str) {
    let output = forge_output(command, input);
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// How many messages a handler has handled, tried again and given up.
fn counts(summary: &Summary, handler: &str) -> (u64, u64, u64) {
    let stats = stats(summary, handler);
    (stats.handled, stats.retried, stats.dead_lettered)
}

fn published(summary: &Summary, handler: &str) -> u64 {
    stats(summary, handler).published
}

fn stats<'a>(summary: &'a Summary, handler: &str) -> &'a HandlerStats {
    let name = format!("bus_examples::{handler}");
    summary.stats.handlers.iter().find(|stats| stats.name == name).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_takes_every_commit_through_every_handler() {
    let repository = repository(120);
    let summary = demo(repository.path(), 2000, |_| ()).await.unwrap();

    assert_eq!((summary.fed.commits, summary.fed.parts, summary.fed.left_out), (120, 4, 0));
    assert_eq!(
        counts(&summary, "scm::record"),
        (120, 3, 1),
        "one in fifty fails once, the malformed one for good"
    );
    for handler in &COMMIT_HANDLERS[1..] {
        assert_eq!(counts(&summary, handler), (120, 0, 1), "{handler}");
    }
    assert_eq!(counts(&summary, "tracker::open"), (1, 0, 0));
    assert_eq!(counts(&summary, "tracker::close"), (12, 0, 0));
    assert_eq!(counts(&summary, "scm::annotate"), (120, 0, 0));
    assert_eq!(counts(&summary, "tracker::comment"), (1, 0, 0));
    assert_eq!(counts(&summary, "wiki::Wiki::edit"), (1, 0, 0));
    assert_eq!(counts(&summary, "mail::deliver"), (4, 0, 0));
    assert_eq!(counts(&summary, "mail::notify"), (121, 0, 0));
    assert_eq!(counts(&summary, "mail::send"), (241, 0, 0));

    assert_eq!(published(&summary, "tracker::link"), 132, "a link per commit, a closing per tenth");
    assert_eq!(published(&summary, "mail::send"), 0);

    assert_eq!(summary.forge.repository.totals(), (120, 1));
    assert_eq!(summary.forge.tickets.totals(), (120, 12));
    assert_eq!(summary.forge.wiki.totals().0, 121);
    assert_eq!((summary.forge.outbox.sent(), summary.forge.archive.len()), (241, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_the_malformed_message_among_the_dead_letters() {
    let repository = repository(1);
    let summary = demo(repository.path(), 2000, |_| ()).await.unwrap();

    assert_eq!(summary.dead_letters.len(), COMMIT_HANDLERS.len());
    for letter in &summary.dead_letters {
        assert!(letter.queue.starts_with("bus_examples.") && letter.queue.ends_with(".dead"), "{letter:?}");
        assert_eq!((letter.reason.as_str(), letter.body.as_str()), ("decode", "this is not JSON"));
    }
    let text = summary.to_string();
    assert!(text.contains("this is not JSON") && text.contains("decode"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_is_content_with_one_commit_and_without_a_repository() {
    let notes = std::sync::Mutex::new(Vec::new());
    let note = |text: &str| notes.lock().unwrap().push(text.to_owned());

    let summary = demo(repository(1).path(), 2000, note).await.unwrap();
    assert_eq!(counts(&summary, "scm::record"), (1, 1, 1));

    let nowhere = tempfile::tempdir().unwrap();
    let summary = demo(nowhere.path(), 2000, note).await.unwrap();
    assert_eq!(counts(&summary, "scm::record"), (8, 1, 1));
    for handler in &summary.stats.handlers {
        assert!(handler.handled > 0, "{} has nothing to do", handler.name);
    }

    run(git(nowhere.path()).args(["init", "-q"]), "");
    demo(nowhere.path(), 2000, note).await.unwrap();

    let notes = notes.into_inner().unwrap();
    assert!(notes[0].contains("the only commit"), "{notes:?}");
    assert!(notes[1].contains("not in a git repository") && notes[1].contains("built in"), "{notes:?}");
    assert!(notes[2].contains("no commits yet"), "{notes:?}");
}

#[test]
fn without_a_command_the_binary_runs_the_demo() {
    let repository = repository(60);
    let output = forge(repository.path(), &[], "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.starts_with("HANDLER "), "{text}");
    let record = text.lines().find(|line| line.starts_with("scm::record")).unwrap();
    assert_eq!(record.split_whitespace().collect::<Vec<_>>(), ["scm::record", "react", "60", "0", "2", "1"]);
}

#[test]
fn a_repository_is_fed() {
    let repository = repository(3);
    let output = forge(repository.path(), &["feed", "git", ".", "--limit", "2"], "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(": 2 commits, 0 parts of mails"), "{text}");
}

#[test]
fn a_mail_folder_is_fed_and_what_is_left_out_is_said() {
    let from = "From ada@example.org Mon Nov 23 09:00:00 2009";
    let mails = format!(
        "{from}\nFrom: ada@example.org\nTo: Home@wiki.bus.forge.localhost\n\nhello\n\n\
         {from}\nTo: nobody\n\nwho wrote this?\n"
    );
    let directory = tempfile::tempdir().unwrap();
    let output = forge(directory.path(), &["feed", "mbox", "-"], &mails);
    let (text, notes) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(3), "{notes}");
    assert!(text.contains("0 commits, 1 parts of mails"), "{text}");
    assert!(notes.contains("left out: mail 2: it does not say whom it is from"), "{notes}");
    assert!(text.lines().any(|line| line.starts_with("wiki::Wiki::edit") && line.contains(" 1 ")), "{text}");
}

#[test]
fn what_cannot_be_fed_is_a_mistake_of_the_caller() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("page.html"), "<html>").unwrap();
    for arguments in [
        &["feed", "git", "."][..],
        &["feed", "git", "nowhere"],
        &["feed", "mbox", "nowhere"],
        &["feed", "mbox", "page.html"],
        &["feed"],
    ] {
        let output = forge(directory.path(), arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
    let output = forge(directory.path(), &["feed", "mbox", "-", "--publish-only"], "");
    assert_eq!(output.status.code(), Some(78), "nobody would handle it");
}

#[test]
fn the_commands_of_every_bus_program_are_there() {
    let directory = tempfile::tempdir().unwrap();
    let output = forge(directory.path(), &["handlers"], "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    for kind in ["audit", "react", "event", "task", "command"] {
        assert!(text.contains(kind), "{kind} is missing in {text}");
    }
    assert_eq!(forge(directory.path(), &["check"], "").status.code(), Some(0));
}

#[test]
fn the_forge_passes_its_own_check() {
    let directory = tempfile::tempdir().unwrap();
    let output = forge(directory.path(), &["check", "--deny", "warnings"], "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ok: 12 handlers, 12 queues\n");
    assert!(output.status.success());
}
