//! `explain`: what a code or an exit code means, at length.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::table::Table;
use super::{EXIT_CODES, Output, report};
use crate::error::ErrorKind;

/// The texts: a section for each code.
const TEXTS: &str = include_str!("codes.md");

/// Options of `explain`.
#[derive(Args, Clone, Debug)]
pub struct CodeArgs {
    /// A code such as BUS0301, or an exit code such as 78; without one, all codes are listed
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

/// A code, and what it means.
struct Code {
    name: &'static str,
    title: &'static str,
    text: &'static str,
}

impl Code {
    /// The exit code of a program that ends with it; warnings and findings have none of their own.
    fn exit(&self) -> Option<u8> {
        ErrorKind::ALL.iter().find(|kind| kind.code() == self.name).map(|kind| kind.exit_code())
    }

    fn value(&self) -> Value {
        json!({ "code": self.name, "title": self.title, "exit_code": self.exit(), "text": self.text })
    }
}

fn codes() -> impl Iterator<Item = Code> {
    TEXTS.split("\n## ").skip(1).filter_map(|section| {
        let (head, text) = section.split_once('\n')?;
        let (name, title) = head.split_once(' ')?;
        Some(Code { name, title, text: text.trim() })
    })
}

/// What an exit code means, as `--help` tells it.
fn exit_codes() -> impl Iterator<Item = (&'static str, &'static str)> {
    EXIT_CODES.lines().skip(1).filter_map(|line| {
        let (code, meaning) = line.trim().split_once(' ')?;
        Some((code, meaning.trim()))
    })
}

pub(super) fn explain(arguments: &CodeArgs, format: Output) -> ExitCode {
    let Some(asked) = &arguments.code else { return report::print(&list(format)) };
    let name = full_name(asked);
    if let Some(code) = codes().find(|code| code.name == name) {
        return report::print(&match format {
            Output::Table => told(&code),
            Output::Json | Output::Jsonl => document(&code.value(), format),
        });
    }
    if let Some((exit, meaning)) = exit_codes().find(|(exit, _)| exit == asked) {
        return report::print(&exit_told(exit, meaning, format));
    }
    report::note(&format!("there is no code {asked}\n  help: `explain` without a code lists them all"));
    ExitCode::from(UNKNOWN)
}

/// The input is wrong.
const UNKNOWN: u8 = 2;

/// `301`, `0301` and `bus0301` are BUS0301, as long as it is no exit code.
fn full_name(asked: &str) -> String {
    match asked.parse::<u16>() {
        Ok(number) if asked.len() > 2 => format!("BUS{number:04}"),
        _ => asked.to_uppercase(),
    }
}

fn list(format: Output) -> String {
    if format != Output::Table {
        let items: Vec<_> = codes().map(|code| code.value()).collect();
        return document(&json!({ "schema": "bus.codes/1", "items": items }), format);
    }
    let mut table = Table::new(&["code", "exit", "meaning"]);
    for code in codes() {
        let exit = code.exit().map(|exit| exit.to_string()).unwrap_or_default();
        table.row([code.name.to_owned(), exit, code.title.to_owned()]);
    }
    table.render() + "\n" + EXIT_CODES + "\n"
}

fn told(code: &Code) -> String {
    let exit = code.exit().map(|exit| format!("\n\nA program that ends with it has exit code {exit}."));
    let text: Vec<_> = code.text.lines().map(wrapped).collect();
    format!("{}: {}\n\n{}{}\n", code.name, code.title, text.join("\n"), exit.unwrap_or_default())
}

fn exit_told(exit: &str, meaning: &str, format: Output) -> String {
    let number: u8 = exit.parse().unwrap_or_default();
    let with: Vec<_> = codes().filter(|code| code.exit() == Some(number)).collect();
    if format != Output::Table {
        let names: Vec<_> = with.iter().map(|code| code.name).collect();
        return document(&json!({ "exit_code": number, "meaning": meaning, "codes": names }), format);
    }
    let mut text = format!("exit code {exit}: {meaning}\n");
    for Code { name, title, .. } in with {
        text.push_str(&format!("  {name}  {title}\n"));
    }
    text
}

fn document(value: &Value, format: Output) -> String {
    match format {
        Output::Jsonl => report::lines(value),
        Output::Table | Output::Json => format!("{value:#}\n"),
    }
}

/// As wide as people like to read.
const WIDTH: usize = 90;

/// A paragraph as lines.
fn wrapped(paragraph: &str) -> String {
    let mut lines = vec![String::new()];
    for word in paragraph.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_has_a_text() {
        for kind in ErrorKind::ALL {
            assert!(codes().any(|code| code.name == kind.code()), "codes.md lacks {}", kind.code());
        }
        for code in codes() {
            assert!(!code.title.ends_with('.') && code.text.ends_with('.'), "{}", code.name);
        }
    }

    #[test]
    fn a_code_is_found_however_it_is_written() {
        let table = [("BUS0301", "BUS0301"), ("bus0301", "BUS0301"), ("301", "BUS0301"), ("0001", "BUS0001")];
        for (asked, name) in table {
            assert_eq!(full_name(asked), name);
        }
        assert_eq!(full_name("78"), "78");
        assert!(exit_told("78", "wrong", Output::Table).contains("BUS0006"));
    }

    #[test]
    fn lines_are_as_wide_as_people_read() {
        let text = wrapped(&"word ".repeat(40));
        assert!(text.lines().count() > 1 && text.lines().all(|line| line.len() <= WIDTH));
    }
}
