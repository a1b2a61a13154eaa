//! Splits a mail folder in the mbox format into its mails.

use std::io::{self, BufRead, Read};
use std::path::PathBuf;

mod parts;

pub use parts::{Mail, MalformedMail, PART_BYTES_MAX, SkippedPart};

/// The largest mail that is taken into memory, in bytes: an attachment of 20 MB fits, encoded.
pub const MAIL_BYTES_MAX: usize = 32 << 20;

/// How much of a line is read at once: a file without line ends must not fill the memory.
const LINE_PIECE_BYTES: u64 = 64 << 10;

/// Why a mail, or the rest of the folder, cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MboxError {
    /// There is no such file, or it may not be read.
    #[error("{path} cannot be opened", path = .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is something else.
    #[error("this is no mbox: it begins {0:?}, not with a line `From <address> <date>`")]
    NotAnMbox(String),
    /// The mail is left out; the next one follows.
    #[error("mail {number} has {bytes} bytes; at most {MAIL_BYTES_MAX} are read")]
    TooLarge {
        /// Its number in the folder, from 1.
        number: u64,
        /// How large it is.
        bytes: usize,
    },
    /// The file cannot be read; nothing follows.
    #[error("the mail folder cannot be read")]
    Io(#[from] io::Error),
}

/// The mails of a folder, raw, with the quoting of the format undone. Only one of them is in memory at a time.
///
/// A mail begins at a line `From <address> <date>` that is the first or follows an empty one. A line of the mail that
/// looks like that has been quoted by its writer as `>From `, and one that was quoted already has one more `>`.
#[derive(Debug)]
pub struct Mails<R> {
    folder: R,
    line: Vec<u8>,
    number: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing has been read yet.
    Start,
    /// The line before a mail has been read.
    Mail,
    /// There is nothing more to read.
    End,
}

impl<R: BufRead> Mails<R> {
    /// Reads the mails of that folder.
    pub fn new(folder: R) -> Self {
        Self { folder, line: Vec::new(), number: 0, state: State::Start }
    }

    /// Finds the first line that is not empty, which must begin a mail.
    fn start(&mut self) -> Result<(), MboxError> {
        self.state = State::End;
        while self.read_piece()? {
            if begins_mail(&self.line) {
                self.state = State::Mail;
                return Ok(());
            }
            if !is_blank(&self.line) {
                let start: String = String::from_utf8_lossy(&self.line).trim_end().chars().take(40).collect();
                return Err(MboxError::NotAnMbox(start));
            }
        }
        Ok(())
    }

    fn mail(&mut self) -> Result<Vec<u8>, MboxError> {
        let (mut mail, mut bytes) = (Vec::new(), 0);
        let (mut at_line_start, mut after_blank) = (true, true);
        self.number += 1;
        self.state = State::End;
        while self.read_piece()? {
            if at_line_start && after_blank && begins_mail(&self.line) {
                self.state = State::Mail;
                break;
            }
            let piece = if at_line_start { unquote(&self.line) } else { &self.line };
            bytes += piece.len();
            if bytes <= MAIL_BYTES_MAX {
                mail.extend_from_slice(piece);
            }
            after_blank = at_line_start && is_blank(&self.line);
            at_line_start = self.line.ends_with(b"\n");
        }
        if bytes > MAIL_BYTES_MAX {
            return Err(MboxError::TooLarge { number: self.number, bytes });
        }
        drop_separator(&mut mail);
        Ok(mail)
    }

    /// Reads the next line, or a piece of a long one, and says whether there is one.
    fn read_piece(&mut self) -> io::Result<bool> {
        self.line.clear();
        Ok(self.folder.by_ref().take(LINE_PIECE_BYTES).read_until(b'\n', &mut self.line)? > 0)
    }
}

impl<R: BufRead> Iterator for Mails<R> {
    type Item = Result<Vec<u8>, MboxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Start
            && let Err(error) = self.start()
        {
            return Some(Err(error));
        }
        (self.state == State::Mail).then(|| self.mail())
    }
}

/// The line `From ada@example.org Thu Nov 23 09:00:00 2023`: a word, and somewhere after it a time and a year. That much is asked
/// for because not every program quotes a sentence that begins with "From".
fn begins_mail(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    let mut words = rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).skip(1);
    words.any(is_time) && words.any(is_year)
}

fn is_time(word: &[u8]) -> bool {
    word.len() >= 4 && word.contains(&b':') && word.iter().all(|byte| byte.is_ascii_digit() || *byte == b':')
}

fn is_year(word: &[u8]) -> bool {
    word.len() == 4 && word.iter().all(u8::is_ascii_digit)
}

fn is_blank(line: &[u8]) -> bool {
    matches!(line, b"\n" | b"\r\n")
}

/// `>From ` is `From `, and `>>From ` is `>From `.
fn unquote(line: &[u8]) -> &[u8] {
    let quotes = line.iter().take_while(|&&byte| byte == b'>').count();
    if quotes > 0 && line[quotes..].starts_with(b"From ") { &line[1..] } else { line }
}

/// The empty line before the next mail belongs to the format, not to the mail.
fn drop_separator(mail: &mut Vec<u8>) {
    for separator in [&b"\r\n"[..], b"\n"] {
        if mail.strip_suffix(separator).is_some_and(|rest| rest.ends_with(b"\n")) {
            mail.truncate(mail.len() - separator.len());
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "From ada@example.org Thu Nov 23 09:00:00 2023";

    fn split(folder: &str) -> Vec<String> {
        let reader = io::BufReader::with_capacity(7, folder.as_bytes());
        Mails::new(reader).map(|mail| String::from_utf8(mail.unwrap()).unwrap()).collect()
    }

    #[test]
    fn splits_at_from_lines() {
        let folder = format!("{FROM}\nSubject: one\n\nbody\n\n{FROM}\nSubject: two\n\nbody\n");
        assert_eq!(split(&folder), ["Subject: one\n\nbody\n", "Subject: two\n\nbody\n"]);
    }

    #[test]
    fn an_empty_folder_has_no_mails() {
        assert!(split("").is_empty());
        assert!(split("\n\r\n\n").is_empty());
    }

    #[test]
    fn crlf_is_as_good_as_lf() {
        let folder = format!("\r\n{FROM}\r\nSubject: one\r\n\r\nbody\r\n\r\n{FROM}\r\nSubject: two\r\n\r\n");
        assert_eq!(split(&folder), ["Subject: one\r\n\r\nbody\r\n", "Subject: two\r\n"]);
    }

    #[test]
    fn quoted_from_lines_lose_one_quote() {
        let folder = format!("{FROM}\n\n>{FROM}\n>>From far\n>Fromage\n> From\n");
        assert_eq!(split(&folder), [format!("\n{FROM}\n>From far\n>Fromage\n> From\n")]);
    }

    #[test]
    fn a_sentence_that_begins_with_from_does_not_split() {
        let folder =
            format!("{FROM}\nSubject: x\n\nFrom now on at 10:30 we meet.\n\nFrom there.\n\n{FROM}\n");
        assert_eq!(split(&folder).len(), 2);
        let within = format!("{FROM}\n\ntext\n{FROM}\ntext\n");
        assert_eq!(split(&within).len(), 1, "no empty line before it");
    }

    #[test]
    fn from_lines_of_other_programs_are_known() {
        for line in [
            "From - Thu Nov 23 09:00:00 2023",
            "From MAILER-DAEMON Thu Nov  3 09:00 2023",
            "From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001",
            "From ada at example.org  Thu Nov 23 09:00:00 2023",
            "From ada@example.org Thu Nov 23 09:00:00 CET 2023\r",
            "From ada@example.org Thu Nov 23 09:00:00 2023 +0100",
        ] {
            assert_eq!(split(&format!("{line}\nSubject: x\n")).len(), 1, "{line}");
        }
    }

    #[test]
    fn two_from_lines_in_a_row_are_an_empty_mail() {
        assert_eq!(split(&format!("{FROM}\n{FROM}\nSubject: x\n")), ["", "Subject: x\n"]);
    }

    #[test]
    fn another_file_is_refused_once() {
        let read: Vec<_> = Mails::new(&b"\n<html>\nFrom\n"[..]).collect();
        assert!(matches!(&read[..], [Err(MboxError::NotAnMbox(start))] if start == "<html>"), "{read:?}");
        let read: Vec<_> = Mails::new(&[0xff_u8; 200_000][..]).collect();
        assert_eq!(read.len(), 1);
    }

    #[test]
    fn a_mail_that_is_too_large_is_left_out_and_the_next_one_follows() {
        let mut folder = format!("{FROM}\nSubject: big\n\n").into_bytes();
        folder.extend(std::iter::repeat_n(b'x', MAIL_BYTES_MAX));
        folder.extend_from_slice(format!("\n\n{FROM}\nSubject: small\n").as_bytes());
        let read: Vec<_> = Mails::new(&folder[..]).collect();
        assert!(
            matches!(read[0], Err(MboxError::TooLarge { number: 1, .. })),
            "{:?}",
            read[0].as_ref().err()
        );
        assert_eq!(read[1].as_deref().unwrap(), b"Subject: small\n");
    }

    #[test]
    fn a_long_line_is_not_mistaken_for_several() {
        let long = "y".repeat(LINE_PIECE_BYTES as usize);
        let folder = format!("{FROM}\n\n{long}>From here\n{long}{FROM}\n");
        assert_eq!(split(&folder), [format!("\n{long}>From here\n{long}{FROM}\n")]);
    }
}
