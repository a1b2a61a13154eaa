//! `check`, as people and pipelines run it: no broker is asked.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn shows(stage: &str, directory: &Path, arguments: &[&str]) -> Output {
    let mut shows = Command::new(env!("CARGO_BIN_EXE_shows"));
    shows.args(arguments).env_clear().env("STAGE", stage).current_dir(directory);
    shows.output().expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The codes that are found, with the first words of what is said, for the messages and handlers of one stage.
fn found(stage: &str, directory: &Path, arguments: &[&str]) -> (Option<i32>, Vec<(String, String)>) {
    let output = shows(stage, directory, &[&["check", "-o", "json"], arguments].concat());
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], "bus.check/1");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = document["items"].as_array().unwrap();
    let all = items.iter().map(|item| (text(&item["code"]), text(&item["message"])));
    (output.status.code(), all.collect())
}

#[test]
fn o2_check_finds_what_nobody_handles_binds_or_publishes() {
    let directory = tempfile::tempdir().unwrap();
    let (code, found) = found("checked", directory.path(), &[]);
    let expected = [
        ("BUS0301", "event `Unheard` (unheard) has no handler in this program"),
        ("BUS0302", "task `Undone` (undone) has no handler in this program"),
        ("BUS0303", "no handler of this program receives \"nobody.binds.this\" on `audit`"),
        (
            "BUS0304",
            "nothing that this program says it publishes matches \"nobody.publishes.this\" on `react`",
        ),
        (
            "BUS0305",
            "possible loop: shows::checked::ping publishes \"pong\", shows::checked::pong publishes \"ping\", and so on",
        ),
        (
            "BUS0305",
            "possible loop: shows::checked::echo publishes \"echo.again\", which it receives itself (echo.#)",
        ),
        (
            "BUS0307",
            "shows::checked::slow may keep a message for 3600s (timeout 1800s, prefetch 32, concurrency 16): RabbitMQ takes it back after 1800s, and delivers it again; lower the prefetch or the timeout",
        ),
    ];
    let expected = expected.map(|(code, text)| (code.to_owned(), text.to_owned()));
    assert_eq!(found, expected);
    assert_eq!(code, Some(0), "warnings are no errors");
}

#[test]
fn o2_warnings_can_be_denied_allowed_and_have_a_place_and_a_way_out() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(found("checked", directory.path(), &["--deny", "warnings"]).0, Some(1));
    let all = "--allow=BUS0301,BUS0302,BUS0303,BUS0304,BUS0305";
    let (code, left) = found("checked", directory.path(), &["--deny", "warnings", all, "--ack-timeout=2h"]);
    assert_eq!((code, left), (Some(0), vec![]));
    let output =
        shows("checked", directory.path(), &["check", "--allow=BUS0301,BUS0303,BUS0304,BUS0305,BUS0307"]);
    let text = stdout(&output);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "warning[BUS0302]: task `Undone` (undone) has no handler in this program");
    assert!(lines[1].starts_with("  --> tests/src/bin/shows.rs:"), "{text}");
    assert!(lines[2].starts_with("  help: handle it: #[message_handler(Undone)]"), "{text}");
    assert_eq!(lines[3..], ["0 errors and 1 warning"]);
}

#[test]
fn the_lock_tells_what_was_promised_and_is_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let quiet = "--allow=BUS0301,BUS0302,BUS0303,BUS0304,BUS0305,BUS0306,BUS0307";
    let check =
        |stage: &str, arguments: &[&str]| found(stage, directory.path(), &[&[quiet], arguments].concat());
    assert_eq!(check("before", &["--lock"]), (Some(0), vec![]));
    let file = directory.path().join("bus.lock");
    let written = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = written.lines().filter(|line| !line.starts_with('#')).collect();
    let expected = [
        "handler shows::before::index react -> shows.before.index.react",
        "handler shows::before::ticket audit -> tickets",
        "binding audit ticket.* -> tickets",
        "binding react page.# -> shows.before.index.react",
        "message undone task v1",
        "message unheard event v1",
        "field undone at: object",
        "field undone at.line: integer?",
        "field undone texts: array",
        "field undone texts[]: string",
        "field unheard .: object",
    ];
    assert_eq!(lines, expected);
    assert_eq!(check("before", &["--deny", "warnings"]), (Some(0), vec![]), "what is written is kept");

    let (code, lost) = check("after", &[]);
    assert_eq!(code, Some(1));
    let gone =
        "handler shows::before::index react is gone, and nobody consumes shows.before.index.react any more";
    assert_eq!(lost[0], ("BUS0311".to_owned(), gone.to_owned()));
    // Who says that it is the same handler has not lost it.
    let (code, renamed) = check("renamed", &[]);
    assert_eq!((code, renamed.len(), renamed[0].0.as_str()), (Some(0), 1, "BUS0316"));

    let fewer =
        written.replace("field undone texts: array", "field undone texts: string\nfield undone old: integer");
    std::fs::write(&file, fewer).unwrap();
    let (code, changed) = check("before", &[]);
    assert_eq!(code, Some(1));
    let expected = [
        ("BUS0314", "message undone has lost its field old (integer)"),
        ("BUS0315", "field texts of undone was string and is array"),
    ];
    assert_eq!(changed, expected.map(|(code, text)| (code.to_owned(), text.to_owned())));
    std::fs::write(&file, "<<<<<<< ours\n").unwrap();
    let output = shows("before", directory.path(), &["check"]);
    assert_eq!(output.status.code(), Some(78));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("bus.lock: line 1 is none of a handler, binding, message or field"), "{text}");
}

#[test]
fn o3_handlers_are_chosen_by_group_and_an_unknown_one_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let with = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut shows = Command::new(env!("CARGO_BIN_EXE_shows"));
        shows.args(arguments).env_clear().env("STAGE", "checked").envs(variables.iter().copied());
        shows.current_dir(directory.path()).output().expect("the program starts")
    };
    let names = |output: Output| {
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let items = document["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let list = ["handlers", "-o", "json"];
    assert_eq!(
        names(with(&[("BUS_GROUPS", "games")], &list)),
        ["shows::checked::ping", "shows::checked::pong"]
    );
    let both = [("BUS_GROUPS", "games"), ("HANDLERS", "*::ping,echo")];
    assert_eq!(names(with(&both, &list)), ["shows::checked::ping"]);
    let unknown = with(&[], &["run", "--groups", "gamse"]);
    assert_eq!(unknown.status.code(), Some(78));
    let text = String::from_utf8(unknown.stderr).unwrap();
    assert!(
        text.contains("error[BUS0008]: --groups \"gamse\" matches none of 2 groups; did you mean games?"),
        "{text}"
    );
    assert!(text.contains("help: there are games, shows"), "{text}");
    let meant = with(&[("BUS_HANDLERS", "x")], &list);
    let text = String::from_utf8(meant.stderr).unwrap();
    assert!(text.contains("BUS_HANDLERS is not used; did you mean HANDLERS?"), "{text}");
}
