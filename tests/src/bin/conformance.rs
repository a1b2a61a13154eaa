//! Prints the rows of `tests/CONFORMANCE.md`, each with the tests that are named after it; 1 when a row has none.

use std::io::Write;
use std::process::ExitCode;

use bus_tests::rows::{Row, rows, tests};

fn main() -> ExitCode {
    let (rows, tests) = (rows(), tests());
    let mut text = String::new();
    let mut without = Vec::new();
    for Row { name, promise } in &rows {
        text.push_str(&format!("{name:<4} {promise}\n"));
        let of_row = tests.get(name).map(Vec::as_slice).unwrap_or_default();
        if of_row.is_empty() {
            without.push(name.as_str());
        }
        for test in of_row {
            text.push_str(&format!("       {}  {}\n", test.name, test.place));
        }
    }
    let count: usize = tests.values().map(Vec::len).sum();
    text.push_str(&format!("{} rows, {count} tests", rows.len()));
    if !without.is_empty() {
        text.push_str(&format!("; no test for {}", without.join(", ")));
    }
    // When nobody reads it, nobody needs it.
    let _ = writeln!(std::io::stdout(), "{text}");
    if without.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
