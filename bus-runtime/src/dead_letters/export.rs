//! Dead letters into a file of JSON lines, and out of one.

use std::fmt;
use std::io::{BufRead, Write};
use std::sync::Arc;

use futures_util::future::join_all;

use super::{DeadLetters, Record, Selection};
use crate::error::{Error, ErrorKind};
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::transport::Confirmation;

/// Letters that are published at once.
const WINDOW: usize = 32;
/// Mistakes that are told: whoever has more of them has given the wrong file.
const MISTAKES_MAX: usize = 20;

/// What became of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// Letters that lie in their queues now.
    pub letters: u64,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    /// The number of the line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} {}", self.line, self.problem)
    }
}

impl DeadLetters {
    /// Writes the letters that are meant, each as a line of JSON, and says how many they were. They stay where they are.
    ///
    /// # Errors
    /// What the broker says; [`Codec`](ErrorKind::Codec) when they cannot be written.
    ///
    /// # Cancel safety
    /// When the future is dropped, everything goes back; what was written stays written.
    pub async fn export(&self, selection: &Selection, mut to: impl Write + Send) -> Result<u64, Error> {
        let unwritable =
            |error| Error::new(ErrorKind::Codec, "can't write the dead letters").with_source(error);
        let count = self
            .for_each(selection, |letter| {
                let record = Record { queue: letter.dead_queue, envelope: (*letter.envelope).clone() };
                writeln!(to, "{}", record.to_line()).map_err(unwritable)
            })
            .await?;
        to.flush().map_err(unwritable)?;
        Ok(count)
    }

    /// Reads records and says what is wrong with them, the first mistakes only; nothing is published.
    ///
    /// # Errors
    /// Every line that is no record.
    pub fn check(from: impl BufRead) -> Result<u64, Vec<LineError>> {
        let (mut count, mut mistakes) = (0, Vec::new());
        for (line, record) in records(from) {
            match record {
                Ok(_) => count += 1,
                Err(problem) => mistakes.push(LineError { line, problem }),
            }
            if mistakes.len() == MISTAKES_MAX {
                break;
            }
        }
        if mistakes.is_empty() { Ok(count) } else { Err(mistakes) }
    }

    /// Puts records back among the dead letters: each into the queue that it was exported from, or all into this one. Each is
    /// confirmed. Let [`check`](Self::check) see them first: a mistake in the middle ends the import there.
    ///
    /// # Errors
    /// [`Codec`](ErrorKind::Codec) for a line that is no record, [`Unroutable`](ErrorKind::Unroutable) for a queue that does not
    /// exist, and what the broker says. The text says how many letters were imported before.
    ///
    /// # Cancel safety
    /// When the future is dropped, what was published until then stays.
    pub async fn import(&self, from: impl BufRead + Send, to: Option<&QueueName>) -> Result<Imported, Error> {
        let mut imported = Imported::default();
        let mut records = records(from);
        loop {
            let portion: Vec<_> = records.by_ref().take(WINDOW).collect();
            if portion.is_empty() {
                return Ok(imported);
            }
            let sends = portion.into_iter().map(|(line, record)| self.put(line, record, to));
            for sent in join_all(sends).await {
                let done = imported.letters;
                sent.map_err(|(line, error)| {
                    let text = format!("line {line}: {error}; {done} letters were imported before");
                    let told = Error::new(error.kind(), text);
                    match error.help() {
                        Some(help) => told.with_help(help),
                        None => told,
                    }
                })?;
                imported.letters += 1;
            }
        }
    }

    async fn put(
        &self,
        line: usize,
        record: Result<Record, String>,
        to: Option<&QueueName>,
    ) -> Result<(), (usize, Error)> {
        let Record { queue, mut envelope } =
            record.map_err(|problem| (line, Error::new(ErrorKind::Codec, problem)))?;
        let queue = to.unwrap_or(&queue);
        // A queue of dead letters takes them by its name alone, whatever they were published with.
        envelope.exchange = ExchangeName::default_exchange();
        envelope.routing_key = RoutingKey::new(queue.as_str()).map_err(|error| (line, error.into()))?;
        // The broker would act on these: refuse a foreign user, or let the letter expire.
        envelope.properties.user_id = None;
        envelope.properties.expiration = None;
        match self.transport.publish(Arc::new(envelope)).await {
            Ok(Confirmation::Routed) => Ok(()),
            Ok(Confirmation::Unroutable) => {
                let text = format!("queue `{queue}` does not exist");
                let error = Error::new(ErrorKind::Unroutable, text);
                Err((line, error.with_help("declare it with `setup`, or name another queue with --to")))
            }
            Err(error) => Err((line, error)),
        }
    }
}

/// The records of a file, each with the number of its line. Empty lines do not count.
fn records(from: impl BufRead) -> impl Iterator<Item = (usize, Result<Record, String>)> {
    let lines = from.split(b'\n').enumerate();
    lines.filter_map(|(at, line)| {
        let line = match line {
            Ok(line) => String::from_utf8(line).map_err(|_| "is not UTF-8".to_owned()),
            Err(error) => Err(format!("cannot be read: {error}")),
        };
        match line {
            Ok(line) if line.trim().is_empty() => None,
            Ok(line) => Some((at + 1, Record::parse(&line).map_err(|error| error.to_string()))),
            Err(problem) => Some((at + 1, Err(problem))),
        }
    })
}
