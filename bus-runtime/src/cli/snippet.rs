//! Errors as the compiler shows its own: with the lines of the source that they are about, where those can be read.

use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::colour::{self, Stream};
use crate::check::Severity;
use crate::error::Place;

/// What is shown of an error or of a finding.
pub(super) struct Shown<'e> {
    pub(super) severity: Severity,
    pub(super) code: &'e str,
    pub(super) message: String,
    pub(super) places: &'e [(Place, String)],
    pub(super) causes: Vec<String>,
    pub(super) help: Option<&'e str>,
}

/// How wide a line of the source may be before it is cut.
const WIDTH: usize = 140;

/// The text for people who read this stream.
pub(super) fn render(shown: &Shown<'_>, stream: Stream) -> String {
    text(shown, colour::is_wanted(stream), &roots())
}

fn text(shown: &Shown<'_>, colours: bool, roots: &[PathBuf]) -> String {
    let renderer = if colours { Renderer::styled() } else { Renderer::plain() }.term_width(WIDTH);
    let level = match shown.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let Some(sources) = sources(shown.places, roots) else {
        // Further lines of a message point into each other, so they stay where they are.
        let (first, rest) = shown.message.split_once('\n').unwrap_or((&shown.message, ""));
        let rest = if rest.is_empty() { String::new() } else { format!("{rest}\n") };
        let title = Group::with_title(level.primary_title(first).id(shown.code));
        return renderer.render(&[title]) + "\n" + &rest + &without_sources(shown);
    };
    let title = level.primary_title(shown.message.as_str()).id(shown.code);
    let snippets = sources.iter().map(|(path, text, marks)| {
        let marks = marks.iter().map(|mark| mark.kind.span(mark.span.clone()).label(mark.label));
        Snippet::source(text.as_str()).path(*path).annotations(marks)
    });
    let mut group = title.elements(snippets);
    for cause in &shown.causes {
        group = group.element(Level::NOTE.message(format!("cause: {cause}")));
    }
    if let Some(help) = shown.help {
        group = group.element(Level::HELP.message(help));
    }
    renderer.render(&[group]) + "\n"
}

/// What follows the first line where there is no source to show.
fn without_sources(shown: &Shown<'_>) -> String {
    let mut text = String::new();
    for (place, label) in shown.places.iter().filter(|(place, _)| place.line > 0) {
        text.push_str(&format!("  --> {place}  {label}\n"));
    }
    for cause in &shown.causes {
        text.push_str(&format!("  cause: {cause}\n"));
    }
    if let Some(help) = shown.help {
        text.push_str(&format!("  help: {}\n", help.replace('\n', "\n        ")));
    }
    text
}

/// Something of a source that has a label.
struct Mark<'e> {
    span: Range<usize>,
    kind: AnnotationKind,
    label: &'e str,
}

/// A file, what stands in it, and what of that is meant.
type Marked<'e> = (&'static str, String, Vec<Mark<'e>>);

/// The sources of all places, the last place first; `None` when one of them is not what the program was built from.
fn sources<'e>(places: &'e [(Place, String)], roots: &[PathBuf]) -> Option<Vec<Marked<'e>>> {
    let mut files: Vec<Marked<'e>> = Vec::new();
    for (position, (place, label)) in places.iter().enumerate().rev() {
        // Of two, the second is the one too many.
        let kind = match (places.len(), position) {
            (2, 0) => AnnotationKind::Context,
            _ => AnnotationKind::Primary,
        };
        let at = match files.iter().position(|(path, ..)| *path == place.file) {
            Some(at) => at,
            None => {
                files.push((place.file, read(place.file, roots)?, Vec::new()));
                files.len() - 1
            }
        };
        let (_, text, marks) = files.get_mut(at)?;
        marks.push(Mark { span: attribute(text, *place)?, kind, label });
    }
    (!files.is_empty()).then_some(files)
}

/// Where the paths of the compiler may begin: the folders around this one, and those around the program.
fn roots() -> Vec<PathBuf> {
    let program = std::env::current_exe().unwrap_or_default();
    let here = std::env::current_dir().unwrap_or_default();
    let around = |path: &Path| path.ancestors().skip(1).map(Path::to_owned).collect::<Vec<_>>();
    [vec![here.clone()], around(&here), around(&program)].concat()
}

fn read(file: &str, roots: &[PathBuf]) -> Option<String> {
    roots.iter().find_map(|root| std::fs::read_to_string(root.join(file)).ok())
}

/// The attribute at a place; `None` when there is none, because the file has changed since the program was built.
fn attribute(text: &str, place: Place) -> Option<Range<usize>> {
    let line = usize::try_from(place.line).ok()?.checked_sub(1)?;
    let begin: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(begin..)?;
    let column = usize::try_from(place.column).ok()?.checked_sub(1)?;
    let (at, _) = rest.lines().next()?.char_indices().nth(column)?;
    // The macro may be told of its name, or of all that is between the brackets.
    let first = if rest.get(at..)?.starts_with("#[") { at } else { rest.get(..at)?.rfind("#[")? };
    let length = closing_bracket(rest.get(first..)?)?;
    Some(begin + first..begin + first + length)
}

/// How long an attribute is, strings with brackets in them included.
fn closing_bracket(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str =
        "use bus_runtime::prelude::*;\n\n#[message_handler(SendInvoice, timeout = 30)]\nasync fn send() {}\n";
    const B: &str = "    #[react(\"wiki.[#]\")]\n";

    fn show(places: &[(Place, &str)], root: &Path) -> String {
        let places: Vec<_> = places.iter().map(|(place, label)| (*place, (*label).to_owned())).collect();
        let shown = Shown {
            severity: Severity::Error,
            code: "BUS0003",
            message: "task `SendInvoice` has two handlers".to_owned(),
            places: &places,
            causes: Vec::new(),
            help: Some("make it an event\nor a command"),
        };
        text(&shown, false, &[root.to_owned()])
    }

    #[test]
    fn both_places_are_shown_as_the_compiler_shows_them() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.rs"), A).unwrap();
        std::fs::write(folder.path().join("b.rs"), B).unwrap();
        let first = (Place { file: "a.rs", line: 3, column: 1 }, "first handler");
        let second = (Place { file: "b.rs", line: 1, column: 7 }, "second handler");
        let told = show(&[first, second], folder.path());
        assert_eq!(
            told,
            "error[BUS0003]: task `SendInvoice` has two handlers\n \
             --> b.rs:1:5\n  |\n1 |     #[react(\"wiki.[#]\")]\n  |     ^^^^^^^^^^^^^^^^^^^^ second handler\n  |\n \
             ::: a.rs:3:1\n  |\n3 | #[message_handler(SendInvoice, timeout = 30)]\n  | --------------------------------------------- first handler\n  |\n  \
             = help: make it an event\n          or a command\n"
        );
    }

    #[test]
    fn a_source_that_is_gone_or_has_changed_is_named_only() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.rs"), "// Something else.\n").unwrap();
        let wanted = "error[BUS0003]: task `SendInvoice` has two handlers\n  --> a.rs:3:1  here\n  help: make it an event\n        or a command\n";
        assert_eq!(show(&[(Place { file: "a.rs", line: 3, column: 1 }, "here")], folder.path()), wanted);
        let wanted = wanted.replace("a.rs:3", "b.rs:3");
        assert_eq!(show(&[(Place { file: "b.rs", line: 3, column: 1 }, "here")], folder.path()), wanted);
    }
}
