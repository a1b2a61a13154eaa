//! The command line as people and scripts use it.

#![allow(clippy::unwrap_used, reason = "clippy does not see that these scenarios are tests")]

#[cfg(unix)]
#[path = "command_line/contract.rs"]
mod contract;
#[path = "command_line/describing.rs"]
mod describing;
#[path = "command_line/documents.rs"]
mod documents;
#[cfg(unix)]
#[path = "command_line/operating.rs"]
mod operating;

#[cfg(unix)]
#[path = "command_line/starting.rs"]
mod starting;

use std::path::Path;
use std::process::{Command, Stdio};

/// The program of these tests, in a folder of its own and without an environment.
#[derive(Debug)]
pub struct Desk {
    folder: tempfile::TempDir,
    vars: Vec<(&'static str, String)>,
}

/// What a command has printed, and its exit code.
#[derive(Debug)]
pub struct Told {
    /// The exit code.
    pub code: i32,
    /// The result.
    pub out: String,
    /// All else.
    pub err: String,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), vars: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.vars.push((name, value.into()));
        self
    }

    fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut desk = Command::new(env!("CARGO_BIN_EXE_desk"));
        desk.args(arguments).env_clear().envs(self.vars.iter().cloned()).current_dir(self.folder());
        desk.stdin(Stdio::null());
        desk
    }

    fn run(&self, arguments: &[&str]) -> Told {
        let output = self.command(arguments).output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Told { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// The result of a command that must succeed without a word beside it.
    fn ok(&self, arguments: &[&str]) -> String {
        let told = self.run(arguments);
        assert_eq!((told.code, told.err.as_str()), (0, ""), "{arguments:?}: {told:?}");
        told.out
    }

    /// The same as JSON.
    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let text = self.ok(&[arguments, &["-o", "json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}
