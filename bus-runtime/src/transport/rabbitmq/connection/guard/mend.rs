//! What a frame holds that lapin would choke on, mended without moving a byte.

use std::fmt;

use crate::transport::wire::NESTING_MAX;

/// Class and method of the frames that carry texts which somebody else wrote.
const CONNECTION_CLOSE: [u8; 4] = [0, 10, 0, 50];
const CHANNEL_OPEN_OK: [u8; 4] = [0, 20, 0, 11];
const CHANNEL_CLOSE: [u8; 4] = [0, 20, 0, 40];
const RETURN: [u8; 4] = [0, 60, 0, 50];
const DELIVER: [u8; 4] = [0, 60, 0, 60];
const GET_OK: [u8; 4] = [0, 60, 0, 71];

/// Class, weight and body size come before the flags of a content header.
pub(super) const BEFORE_FLAGS: usize = 12;
/// So much of a name that is mended is told.
const SHOWN_BYTES_MAX: usize = 255;

/// Something that was mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// This text is not UTF-8; the bytes as they were.
    NotUtf8(&'static str, Vec<u8>),
    /// Tables and lists nest deeper than anybody needs.
    TooDeep,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8(what, bytes) => {
                let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
                write!(f, "the {what} is not UTF-8: {}", shown.escape_ascii())
            }
            Self::TooDeep => {
                write!(f, "the headers nest more than {NESTING_MAX} tables and lists into each other")
            }
        }
    }
}

/// Empty in nearly all cases, so it costs nothing then.
pub(super) type Findings = Option<Vec<Finding>>;

/// A method frame, looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Method {
    pub(super) begins: Begins,
    pub(super) findings: Findings,
}

/// What a method frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// A message with this delivery tag.
    Message(u64),
    /// A message that comes back unroutable.
    Returned,
    /// A channel, on which no message was delivered yet.
    Channel,
    Nothing,
}

/// Mends the texts of a method frame.
pub(super) fn method(payload: &mut [u8]) -> Method {
    let nothing = Method { begins: Begins::Nothing, findings: None };
    let Some(id) = payload.first_chunk().copied() else { return nothing };
    let mut walk = Walk { bytes: payload, at: id.len(), findings: None };
    let begins = match id {
        DELIVER => walk.deliver(),
        GET_OK => walk.got(),
        RETURN => walk.returned(),
        CHANNEL_CLOSE | CONNECTION_CLOSE => walk.closed(),
        CHANNEL_OPEN_OK => Some(Begins::Channel),
        _ => return nothing,
    };
    // A frame that ends too early is lapin's to refuse.
    Method { begins: begins.unwrap_or(Begins::Nothing), findings: walk.findings }
}

/// Mends the properties of a message.
pub(super) fn content_header(payload: &mut [u8]) -> Findings {
    let mut walk = Walk { bytes: payload, at: BEFORE_FLAGS, findings: None };
    let _ = walk.properties();
    walk.findings
}

/// A place in a payload. `None` means that it ends too early.
struct Walk<'a> {
    bytes: &'a mut [u8],
    at: usize,
    findings: Findings,
}

impl Walk<'_> {
    fn deliver(&mut self) -> Option<Begins> {
        self.short("consumer tag")?;
        self.got()
    }

    fn got(&mut self) -> Option<Begins> {
        let tag = u64::from_be_bytes(self.array()?);
        let _redelivered = self.array::<1>()?;
        self.short("name of the exchange")?;
        self.short("routing key")?;
        Some(Begins::Message(tag))
    }

    fn returned(&mut self) -> Option<Begins> {
        let _code = self.array::<2>()?;
        self.short("reason for the return")?;
        self.short("name of the exchange")?;
        self.short("routing key")?;
        Some(Begins::Returned)
    }

    /// RabbitMQ cuts the reason at 255 bytes, which may be in the middle of a character.
    fn closed(&mut self) -> Option<Begins> {
        let _code = self.array::<2>()?;
        self.short("reason for the end")?;
        Some(Begins::Nothing)
    }

    fn properties(&mut self) -> Option<()> {
        let flags = u16::from_be_bytes(self.array()?);
        let has = |bit: u16| flags & (1 << bit) != 0;
        for (bit, what) in [(15, "content type"), (14, "content encoding")] {
            if has(bit) {
                self.short(what)?;
            }
        }
        if has(13) {
            let end = self.long_end()?;
            self.table(end, 1)?;
        }
        let numbers = usize::from(has(12)) + usize::from(has(11));
        self.skip(numbers)?;
        let texts = [(10, "correlation id"), (9, "reply-to"), (8, "expiration"), (7, "message id")];
        for (bit, what) in texts {
            if has(bit) {
                self.short(what)?;
            }
        }
        if has(6) {
            let _timestamp = self.array::<8>()?;
        }
        for (bit, what) in [(5, "message type"), (4, "user id"), (3, "app id"), (2, "cluster id")] {
            if has(bit) {
                self.short(what)?;
            }
        }
        Some(())
    }

    /// The entries of a table, whose values are so deep.
    fn table(&mut self, end: usize, depth: usize) -> Option<()> {
        while self.at < end {
            self.short("name of a header")?;
            self.value(depth)?;
        }
        Some(())
    }

    fn list(&mut self, end: usize, depth: usize) -> Option<()> {
        while self.at < end {
            self.value(depth)?;
        }
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        let kind_at = self.at;
        let [kind] = self.array()?;
        match kind {
            b'F' | b'A' => {
                let end = self.long_end()?;
                if depth >= NESTING_MAX && self.at < end {
                    self.bytes[kind_at] = b'x';
                    self.found(Finding::TooDeep);
                    self.at = end;
                }
                if kind == b'F' { self.table(end, depth + 1) } else { self.list(end, depth + 1) }
            }
            b'S' | b'x' => {
                self.at = self.long_end()?;
                Some(())
            }
            b'V' => Some(()),
            b't' | b'b' | b'B' => self.skip(1),
            b's' | b'u' | b'U' => self.skip(2),
            b'I' | b'i' | b'f' => self.skip(4),
            b'l' | b'L' | b'd' | b'T' => self.skip(8),
            b'D' => self.skip(5),
            _ => None,
        }
    }

    /// Where what follows its own length ends.
    fn long_end(&mut self) -> Option<usize> {
        let length = u32::from_be_bytes(self.array()?) as usize;
        let end = self.at.checked_add(length)?;
        (end <= self.bytes.len()).then_some(end)
    }

    fn short(&mut self, what: &'static str) -> Option<()> {
        let [length] = self.array()?;
        let text = self.bytes.get_mut(self.at..self.at + usize::from(length))?;
        self.at += usize::from(length);
        // Nearly all are ASCII, which is known in a few instructions.
        if !text.is_ascii() && std::str::from_utf8(text).is_err() {
            let finding = Finding::NotUtf8(what, text.to_vec());
            mend_text(text);
            self.found(finding);
        }
        Some(())
    }

    #[cold]
    fn found(&mut self, finding: Finding) {
        let findings = self.findings.get_or_insert_default();
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count).filter(|at| *at <= self.bytes.len())?;
        Some(())
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let array = *self.bytes.get(self.at..)?.first_chunk::<N>()?;
        self.at += N;
        Some(array)
    }
}

/// Puts `?` in the place of each byte that is no part of a character.
fn mend_text(mut text: &mut [u8]) {
    while let Err(error) = std::str::from_utf8(text) {
        let from = error.valid_up_to();
        let to = error.error_len().map_or(text.len(), |length| from + length);
        text[from..to].fill(b'?');
        text = &mut text[to..];
    }
}
