//! How far a feed is: a bar on a terminal, else a line now and then. All of it on the standard error.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// How far something is.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    what: String,
    /// When the last line was written; there is none on a terminal.
    last_line: Option<Mutex<Instant>>,
}

impl Progress {
    /// Shows the progress of this many things, called `what`, when their number is known.
    #[must_use]
    pub fn of(what: &str, total: Option<u64>) -> Self {
        let terminal = io::stderr().is_terminal();
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        let template = match total {
            Some(_) => "{msg} {bar:30} {human_pos}/{human_len}  {per_sec}  eta {eta}",
            None => "{msg} {spinner} {human_pos}  {per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar.set_message(what.to_owned());
        Self { bar, what: what.to_owned(), last_line: (!terminal).then(|| Mutex::new(Instant::now())) }
    }

    /// One more is done.
    pub fn step(&self) {
        self.bar.inc(1);
        let Some(last_line) = &self.last_line else { return };
        let mut last_line = last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if last_line.elapsed() >= LINE_EVERY {
            *last_line = Instant::now();
            write(&self.line());
        }
    }

    /// Says something in between.
    pub fn say(&self, text: &str) {
        self.bar.suspend(|| write(text));
    }

    /// Removes the bar, or writes the last line.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
        write(&self.line());
    }

    fn line(&self) -> String {
        let done = self.bar.position();
        match self.bar.length() {
            Some(total) => format!("{} {done}/{total}", self.what),
            None => format!("{} {done}", self.what),
        }
    }
}

/// A standard error that is closed is no reason to stop.
fn write(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_it_is() {
        let commits = Progress::of("publishing commits", Some(2));
        commits.step();
        assert_eq!(commits.line(), "publishing commits 1/2");
        let mails = Progress::of("publishing mails", None);
        mails.step();
        assert_eq!(mails.line(), "publishing mails 1");
    }
}
