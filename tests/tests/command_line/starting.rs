//! `run` from its first line to its end: what keeps it from starting, when it ends by itself, and how it is put anew.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::operating::corner;
use crate::{Desk, Told};

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that has handlers which do not fit together.
fn doubled(folder: &Path, arguments: &[&str]) -> Told {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doubled"));
    command.args(arguments).env_clear().current_dir(folder).stdin(Stdio::null());
    let output = command.output().expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Told { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn handlers_that_contradict_each_other_are_shown_as_the_compiler_shows_mistakes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = folder.join("tests/command_line/doubled.stderr");
    let told = doubled(folder, &["run"]);
    assert_eq!((told.code, told.out.as_str()), (78, ""));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&golden, &told.err).unwrap();
    }
    assert_eq!(told.err, std::fs::read_to_string(golden).unwrap());
    // `check` finds the same, as its result.
    let checked = doubled(folder, &["check"]);
    assert_eq!(checked.code, 1);
    let first = told.err.split("\nerror").next().unwrap();
    assert!(checked.out.starts_with(first), "{}", checked.out);
}

#[test]
fn colours_are_for_those_who_want_them() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!doubled(folder.path(), &["run"]).err.contains('\u{1b}'));
    assert!(!doubled(folder.path(), &["run", "--color", "never"]).err.contains('\u{1b}'));
    assert!(doubled(folder.path(), &["run", "--color", "always"]).err.contains("\u{1b}["));
    let coloured =
        |name, value| Desk::new().with(name, value).run(&["describe", "no"]).err.contains('\u{1b}');
    assert!(coloured("CLICOLOR_FORCE", "1") && !coloured("NO_COLOR", "1"));
    let both = Desk::new().with("CLICOLOR_FORCE", "1").with("NO_COLOR", "1").run(&["describe", "no"]);
    assert!(!both.err.contains('\u{1b}'));
}

#[test]
fn a_log_for_programs_has_errors_as_events() {
    let folder = tempfile::tempdir().unwrap();
    let told = doubled(folder.path(), &["run", "--log-format", "json", "--color", "always"]);
    assert_eq!(told.code, 78);
    let events: Vec<serde_json::Value> =
        told.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["code"], "BUS0003");
    assert_eq!((&events[0]["level"], events[0]["places"].as_array().unwrap().len()), (&"ERROR".into(), 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_ends_after_so_many_messages_and_leaves_the_others() {
    let Some((arena, desk)) = corner().await else { return };
    assert_eq!(desk.run(&["setup"]).code, 0);
    for body in ["1", "2", "3", "4", "5"] {
        assert_eq!(desk.run(&["publish", "page.home.saved", body, "-e", "react"]).code, 0);
    }
    arena.until_ready("pages", 5).await;
    let told = desk.run(&["run", "--max-messages", "2", "--http", "off"]);
    assert_eq!(told.code, 0, "{}", told.err);
    arena.until_ready("pages", 3).await;
    // The same where what is queued is all that there is to do.
    let told = desk.run(&["run", "--once", "--max-messages", "1", "--http", "off"]);
    assert_eq!(told.code, 0, "{}", told.err);
    arena.until_ready("pages", 2).await;
}

#[test]
fn run_ends_when_its_time_is_over() {
    let desk = Desk::new();
    for arguments in [
        &["run", "--max-runtime", "50ms", "--http", "off"][..],
        &["embedded", "--max-runtime", "50ms", "--http", "off"],
    ] {
        let told = desk.run(arguments);
        assert!(told.code == 0 && told.err.contains("\"stopped\""), "{told:?}");
    }
    // Without a broker, `embedded` has nothing to wait for.
    let away = Desk::new().with("BROKER_URL", "amqp://127.0.0.1:1");
    assert_eq!(away.run(&["embedded", "--max-runtime", "50ms", "--http", "off"]).code, 0);
    assert_eq!(away.run(&["run", "--wait-for-broker", "0", "--http", "off"]).code, 69);
}

/// A program whose messages on stderr are waited for.
struct Watched {
    child: Child,
    lines: Receiver<String>,
}

impl Watched {
    fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (lines, stderr) = (channel(), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = lines.0.send(line);
            }
        });
        Self { child, lines: lines.1 }
    }

    /// Waits for a line with this text, and says what came before it.
    fn until(&self, text: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return before,
                Ok(line) => before.push(line),
                Err(_) => panic!("no line with {text} after {before:#?}"),
            }
        }
    }

    fn end(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

#[test]
fn reload_builds_and_restarts_when_a_source_changes() {
    let desk = Desk::new().file("main.rs", "// one");
    std::fs::create_dir(desk.folder().join("src")).unwrap();
    let source = desk.folder().join("src/main.rs");
    std::fs::write(&source, "// one").unwrap();
    let mut command = desk.command(&["run", "--reload", "--build", "test -f good", "--http", "off"]);
    command.env("SRC_DIR", "src").env("PATH", "/usr/bin:/bin");
    let watched = Watched::start(command);
    watched.until("watching src");
    watched.until("\"ready\"");
    // A build that fails leaves alone what runs.
    std::fs::write(&source, "// a mistake").unwrap();
    watched.until("src/main.rs has changed: building");
    let meanwhile = watched.until("the build has failed: what ran before goes on");
    assert!(!meanwhile.iter().any(|line| line.contains("stopped")), "{meanwhile:?}");
    std::fs::write(desk.folder().join("good"), "").unwrap();
    std::fs::write(&source, "// two, and longer").unwrap();
    watched.until("building");
    // The one before drains to its end, and only then comes the next.
    let meanwhile = watched.until("restarting");
    assert!(meanwhile.iter().any(|line| line.contains("\"stopped\"")), "{meanwhile:?}");
    watched.until("\"ready\"");
    assert_eq!(watched.end(), Some(0));
}

#[test]
fn reload_says_what_it_lacks() {
    let told = Desk::new().run(&["run", "--reload", "--src-dir", "nowhere"]);
    assert!(told.code == 78 && told.err.contains("there is no folder nowhere to watch"), "{told:?}");
    let told = Desk::new().with("RELOAD", "perhaps").run(&["run"]);
    assert!(told.code == 78 && told.err.contains("RELOAD"), "{told:?}");
}

#[test]
fn what_a_pipe_has_seen_enough_of_ends_quietly() {
    let desk = Desk::new();
    let mut child = desk.command(&["docs", "asyncapi"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut byte = [0];
    child.stdout.take().unwrap().read_exact(&mut byte).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
