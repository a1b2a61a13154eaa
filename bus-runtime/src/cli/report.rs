//! Errors and warnings as people read them.

use std::error::Error as _;
use std::io::Write;
use std::process::ExitCode;
use std::sync::OnceLock;

use serde_json::json;

use super::colour::Stream;
use super::snippet::{self, Shown};
use crate::check::Severity;
use crate::copies::rfc3339;
use crate::error::Error;
use crate::seam;

/// How the program is called.
static NAME: OnceLock<String> = OnceLock::new();

/// Notes how the program is called, for errors that name one of its commands.
pub(super) fn name(name: String) {
    NAME.get_or_init(|| name);
}

/// Whether errors are events of a log that programs read.
static AS_EVENTS: OnceLock<()> = OnceLock::new();

/// Prints errors as events of a JSON log from now on.
pub(super) fn as_events() {
    AS_EVENTS.get_or_init(|| ());
}

/// Prints errors and returns the exit code of the first.
pub(super) fn failed(errors: &[Error]) -> ExitCode {
    let mut stderr = std::io::stderr().lock();
    let exit = ExitCode::from(errors.first().map_or(70, |error| error.kind().exit_code()));
    if AS_EVENTS.get().is_some() {
        let _ = errors.iter().try_for_each(|error| writeln!(stderr, "{}", event(error)));
        return exit;
    }
    for (number, error) in errors.iter().enumerate() {
        if number > 0 {
            let _ = stderr.write_all(b"\n");
        }
        // When even stderr is gone, the exit code has to say it.
        let _ = stderr.write_all(render(error).as_bytes());
    }
    let _ = stderr.write_all(see(errors.iter().map(|error| error.kind().code())).as_bytes());
    exit
}

/// An error as an event of the log.
fn event(error: &Error) -> serde_json::Value {
    let places: Vec<_> = error
        .places()
        .iter()
        .map(|(place, label)| json!({ "place": place.to_string(), "label": label }))
        .collect();
    json!({
        "timestamp": rfc3339(seam::wall_clock()),
        "level": "ERROR",
        "message": error.to_string(),
        "code": error.kind().code(),
        "places": places,
        "causes": causes(error),
        "help": error.help(),
    })
}

/// Where more is said about these codes, in one line.
pub(super) fn see<'c>(codes: impl IntoIterator<Item = &'c str>) -> String {
    let name = NAME.get().map_or("", String::as_str);
    let codes: std::collections::BTreeSet<_> = codes.into_iter().collect();
    let commands: Vec<_> =
        codes.iter().map(|code| format!("{name} explain {code}").trim().to_owned()).collect();
    match commands.is_empty() {
        true => String::new(),
        false => format!("see: {}\n", commands.join(", ")),
    }
}

pub(super) fn warning(text: &str) {
    let _ = writeln!(std::io::stderr(), "warning: {text}");
}

/// Prints what is not the result.
pub(super) fn aside(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// `1 handler`, `2 handlers`.
pub(super) fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Tells how far something is, or what was done, without a word in the result.
pub(super) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// A document as JSON lines: its items, one a line; the whole document on one line when it has none.
pub(super) fn lines(document: &serde_json::Value) -> String {
    match document["items"].as_array() {
        Some(items) => items.iter().map(|item| format!("{item}\n")).collect(),
        None => format!("{document}\n"),
    }
}

/// A printed document as JSON lines: see [`lines`].
pub(super) fn compact(document: &str) -> String {
    // Whoever printed it made it of a value.
    lines(&serde_json::from_str(document).unwrap_or_default())
}

/// Prints one of several results; false when nobody reads them any more.
pub(super) fn goes_on(text: &str) -> bool {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_ok()
}

/// Prints a result.
pub(super) fn print(text: &str) -> ExitCode {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read has seen enough, as `head` does.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(70),
    }
}

/// An error with its code, places, causes and the way out.
pub(super) fn render(error: &Error) -> String {
    let shown = Shown {
        severity: Severity::Error,
        code: error.kind().code(),
        message: error.to_string(),
        places: error.places(),
        causes: causes(error),
        help: error.help(),
    };
    snippet::render(&shown, Stream::Err)
}

fn causes(error: &Error) -> Vec<String> {
    std::iter::successors(error.source(), |cause| (**cause).source()).map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ErrorKind, Place};

    #[test]
    fn an_error_names_places_causes_and_the_way_out() {
        let error = Error::new(ErrorKind::DuplicateHandler, "task `SendInvoice` has two handlers")
            .with_place(Place { file: "src/a.rs", line: 3, column: 1 }, "first handler")
            .with_source(std::io::Error::other("because"))
            .with_help("make it an event");
        assert_eq!(
            render(&error),
            "error[BUS0003]: task `SendInvoice` has two handlers\n  --> src/a.rs:3:1  first handler\n  cause: because\n  help: make it an event\n"
        );
    }
}
