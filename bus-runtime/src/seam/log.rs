//! What happened in a simulation: every step of every task, and what the program noted.

use std::fmt::Write;
use std::time::Duration;

/// The steps and the notes of a simulation, in order.
#[derive(Default)]
pub(crate) struct Log(Vec<(Duration, Line)>);

enum Line {
    /// A task went on.
    Step(u64, &'static str),
    Note(String),
}

impl Log {
    pub(super) fn step(&mut self, at: Duration, task: u64, name: &'static str) {
        self.0.push((at, Line::Step(task, name)));
    }

    pub(super) fn note(&mut self, at: Duration, text: String) {
        self.0.push((at, Line::Note(text)));
    }

    /// All of it: the same seed gives the same text.
    pub(crate) fn all(&self) -> String {
        let mut text = String::new();
        for (at, line) in &self.0 {
            // Writing into a string cannot fail.
            let _ = match line {
                Line::Step(task, name) => writeln!(text, "{at:?} task {task} {name}"),
                Line::Note(note) => writeln!(text, "{at:?} {note}"),
            };
        }
        text
    }

    /// The last notes, at most so many.
    pub(crate) fn notes(&self, most: usize) -> String {
        let notes: Vec<_> = self.0.iter().filter(|(_, line)| matches!(line, Line::Note(_))).collect();
        let left_out = notes.len().saturating_sub(most);
        let mut text = String::new();
        if left_out > 0 {
            let _ = writeln!(text, "  .. {left_out} before");
        }
        for (at, line) in &notes[left_out..] {
            if let Line::Note(note) = line {
                let _ = writeln!(text, "  {:>12} {note}", format!("{at:?}"));
            }
        }
        text
    }
}
