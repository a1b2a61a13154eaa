//! The rows of `tests/CONFORMANCE.md`, and the tests that are named after them.

use std::collections::BTreeMap;

use crate::code::{self, Source};

/// Where the rows stand.
pub const DOCUMENT: &str = "tests/CONFORMANCE.md";

/// A promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Such as `T1`.
    pub name: String,
    /// What holds.
    pub promise: String,
}

/// A test that is named after a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Test {
    /// `file:line`.
    pub place: String,
    /// The function, or the module that holds it.
    pub name: String,
}

/// All rows, in the order of the document.
#[must_use]
pub fn rows() -> Vec<Row> {
    let text = code::read(DOCUMENT);
    let cells = text.lines().filter_map(|line| {
        let (name, promise) = line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | ")?;
        is_row(name).then(|| Row { name: name.to_owned(), promise: promise.to_owned() })
    });
    cells.collect()
}

/// The tests of each row that has some, by the row's name.
#[must_use]
pub fn tests() -> BTreeMap<String, Vec<Test>> {
    let mut tests: BTreeMap<String, Vec<Test>> = BTreeMap::new();
    for file in code::sources(&["tests/", "bus-runtime/", "bus-macros/", "bus-examples/"]) {
        for (row, test) in of_file(&file) {
            tests.entry(row).or_default().push(test);
        }
    }
    tests.values_mut().for_each(|tests| tests.sort());
    tests
}

/// `fn t1_the_matrix` and `mod d1_stacked_attributes` are named after T1 and D1.
fn of_file(file: &Source) -> Vec<(String, Test)> {
    let named = file.text.lines().enumerate().filter_map(|(at, line)| {
        let line = line.trim_start();
        let line = ["pub(crate) ", "pub ", "async "]
            .iter()
            .fold(line, |line, word| line.strip_prefix(word).unwrap_or(line));
        let name = line.strip_prefix("fn ").or_else(|| line.strip_prefix("mod "))?;
        let name = name.split(|letter: char| !letter.is_alphanumeric() && letter != '_').next()?;
        let (row, _) = name.split_once('_')?;
        let upper = row.to_uppercase();
        let is_test = row.starts_with(char::is_lowercase) && is_row(&upper);
        let place = format!("{}:{}", file.path, at + 1);
        is_test.then(|| (upper, Test { place, name: name.to_owned() }))
    });
    named.collect()
}

/// A letter and a number from 1.
fn is_row(name: &str) -> bool {
    let mut letters = name.chars();
    let kind = letters.next().is_some_and(|kind| "TDCKRPNSQLO".contains(kind));
    let number = letters.as_str();
    kind && !number.is_empty()
        && !number.starts_with('0')
        && number.chars().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_begins_with_a_row_is_a_test_of_it() {
        let file = Source::new(
            "a.rs",
            "mod d1_stacked {}\nfn k10_x() {}\nfn utf8_text() {}\nfn s0_x() {}\nfn t1() {}",
        );
        let found: Vec<_> = of_file(&file).into_iter().map(|(row, test)| (row, test.place)).collect();
        assert_eq!(found, [("D1".to_owned(), "a.rs:1".to_owned()), ("K10".to_owned(), "a.rs:2".to_owned())]);
    }

    #[test]
    fn rows_are_letters_with_numbers() {
        for (name, expected) in [
            ("T1", true),
            ("R12", true),
            ("O4", true),
            ("X1", false),
            ("T0", false),
            ("T", false),
            ("row", false),
        ] {
            assert_eq!(is_row(name), expected, "{name}");
        }
    }
}
