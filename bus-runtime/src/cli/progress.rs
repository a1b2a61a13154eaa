//! How far something is, on stderr: a bar on a terminal, else a line now and then.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::sync::OnceLock;
use std::time::Duration;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use tokio::time::Instant;

use super::report;
use crate::seam;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// A bar on a terminal, else plain.
    Auto,
    /// A bar; plain where there is no terminal.
    Bar,
    /// A line every five seconds, and every tenth of the way.
    Plain,
    /// The same as JSON lines.
    Json,
    /// Not at all.
    None,
}

static FORM: OnceLock<Form> = OnceLock::new();

/// Notes what the command line says.
pub(super) fn decide(form: Option<Form>) {
    FORM.get_or_init(|| form.unwrap_or(Form::Auto));
}

/// How often a line is printed where there is no bar.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// What is over sooner than this needs no line.
const SHORT: Duration = Duration::from_secs(2);

/// How far one thing is.
pub(super) struct Meter {
    what: &'static str,
    form: Form,
    bar: Option<ProgressBar>,
    began: Instant,
    told_at: Instant,
    tenths: u64,
}

impl Meter {
    /// Begins to count; `what` says what is being done: `exporting`.
    pub(super) fn new(what: &'static str) -> Self {
        let form = match FORM.get().copied().unwrap_or(Form::Auto) {
            Form::Auto | Form::Bar if io::stderr().is_terminal() => Form::Bar,
            Form::Auto | Form::Bar => Form::Plain,
            chosen => chosen,
        };
        let bar = (form == Form::Bar).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template(
                "{prefix} {wide_bar} {human_pos}/{human_len}  {per_sec}  eta {eta}  {msg}",
            );
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_prefix(what)
        });
        let now = seam::now();
        Self { what, form, bar, began: now, told_at: now, tenths: 0 }
    }

    /// Shows how far it is; a total of `None` is not known.
    pub(super) fn show(&mut self, done: u64, total: Option<u64>, message: &str) {
        if let Some(bar) = &self.bar {
            match total {
                Some(total) => bar.set_length(total.max(done)),
                None => bar.unset_length(),
            }
            bar.set_position(done);
            bar.set_message(message.to_owned());
            return;
        }
        let tenths = total.filter(|total| *total > 0).map_or(0, |total| done * 10 / total);
        let is_further = tenths > self.tenths && self.began.elapsed() >= SHORT;
        if self.told_at.elapsed() < LINE_EVERY && !is_further {
            return;
        }
        (self.told_at, self.tenths) = (seam::now(), tenths);
        self.line(done, total, message);
    }

    fn line(&self, done: u64, total: Option<u64>, message: &str) {
        match self.form {
            Form::Json => report::note(
                &json!({
                    "schema": "bus.progress/1",
                    "what": self.what,
                    "done": done,
                    "total": total,
                    "seconds": self.began.elapsed().as_secs_f64(),
                    "message": message,
                })
                .to_string(),
            ),
            Form::None => {}
            Form::Auto | Form::Bar | Form::Plain => {
                let total = total.map_or_else(String::new, |total| format!("/{total}"));
                let message = if message.is_empty() { String::new() } else { format!(", {message}") };
                report::note(&format!("{} {done}{total}{message}", self.what));
            }
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Waits for something that does not say how far it is, and shows for how many seconds it has been under way.
pub(super) async fn during<T>(what: &'static str, work: impl Future<Output = T>) -> T {
    let mut meter = Meter::new(what);
    let began = seam::now();
    tokio::pin!(work);
    let done = loop {
        tokio::select! {
            biased;
            done = &mut work => break done,
            () = seam::sleep(Duration::from_secs(1)) => meter.show(began.elapsed().as_secs(), None, "seconds"),
        }
    };
    meter.end();
    done
}

/// Counts the lines that pass through a reader or a writer.
pub(super) struct Lines<T> {
    inner: T,
    meter: Meter,
    done: u64,
    total: Option<u64>,
}

impl<T> Lines<T> {
    pub(super) fn new(what: &'static str, inner: T, total: Option<u64>) -> Self {
        Self { inner, meter: Meter::new(what), done: 0, total }
    }

    fn pass(&mut self, bytes: &[u8]) {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        if lines > 0 {
            self.done += lines;
            self.meter.show(self.done, self.total, "");
        }
    }
}

impl<T: Write> Write for Lines<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.pass(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: BufRead> Read for Lines<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.pass(bytes.get(..read).unwrap_or_default());
        Ok(read)
    }
}

impl<T: BufRead> BufRead for Lines<T> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // What is consumed was filled just now, so it is not read again.
        if let Ok(bytes) = self.inner.fill_buf() {
            let lines = bytes.iter().take(amount).filter(|byte| **byte == b'\n').count() as u64;
            self.done += lines;
        }
        self.inner.consume(amount);
        self.meter.show(self.done, self.total, "");
    }
}

impl<T> Drop for Lines<T> {
    fn drop(&mut self) {
        self.meter.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_both_ways() {
        let mut to = Lines::new("writing", Vec::new(), None);
        to.write_all(b"a\nb\nc").unwrap();
        assert_eq!((to.done, to.inner.as_slice()), (2, b"a\nb\nc".as_slice()));
        let mut from = Lines::new("reading", b"a\nb\nc\n".as_slice(), Some(3));
        let read: Vec<_> = from.by_ref().lines().map_while(Result::ok).collect();
        assert_eq!((from.done, read.len()), (3, 3));
    }
}
