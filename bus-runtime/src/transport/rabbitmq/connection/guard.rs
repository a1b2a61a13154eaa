//! Frames from the broker, before lapin reads them: what would end its connection or our process is mended in place.
//!
//! lapin reads tables recursively, so that some 870 of them nested into each other overflow the stack of its thread and abort
//! the process; a name, key or text property that is not UTF-8 makes it give up the connection. Either message would stay in its
//! queue and do the same to the next worker, for ever. Both cures keep every length, so nothing has to be moved: a byte that is
//! no UTF-8 becomes `?`, and a table that is nested too deep becomes the same bytes as a plain byte string. What was found goes
//! into [`Defects`], for whoever receives the message.

use std::sync::Arc;

use super::defects::Defects;
use mend::Finding;

#[cfg(feature = "fuzzing")]
mod fuzz;
mod mend;

#[cfg(feature = "fuzzing")]
pub(in crate::transport::rabbitmq) use fuzz::{frames as fuzz_frames, table as fuzz_table};

/// Type, channel and size come before the payload of a frame, one byte after it.
const HEADER_BYTES: usize = 7;
const END_BYTES: usize = 1;
const METHOD: u8 = 1;
const CONTENT_HEADER: u8 = 2;
/// RabbitMQ's frames have 128 KiB at most, unless it is told otherwise. Whatever claims to be larger than this is not kept until
/// it is complete, but left to lapin, which refuses it.
const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Looks at the frames of one connection.
#[derive(Debug)]
pub(super) struct Guard {
    defects: Arc<Defects>,
    /// So much of a frame that nobody has to look at is still to come.
    passing: usize,
    /// The tag of the last message that began, for each channel.
    tags: Vec<u64>,
}

impl Guard {
    pub(super) fn new(defects: Arc<Defects>) -> Self {
        Self { defects, passing: 0, tags: Vec::new() }
    }

    /// Looks at bytes that follow those which have passed, mends them, and says how many of them may pass. The others are the
    /// beginning of a frame, to be shown again with what follows them.
    pub(super) fn look(&mut self, bytes: &mut [u8]) -> usize {
        let mut at = self.passing.min(bytes.len());
        self.passing -= at;
        while let Some(&[kind, channel_high, channel_low, s3, s2, s1, s0]) =
            bytes[at..].first_chunk::<HEADER_BYTES>()
        {
            let size = u32::from_be_bytes([s3, s2, s1, s0]) as usize;
            let whole = size.saturating_add(HEADER_BYTES + END_BYTES);
            let there = bytes.len() - at;
            if matches!(kind, METHOD | CONTENT_HEADER) && whole <= FRAME_BYTES_MAX {
                if there < whole {
                    return at;
                }
                let payload = &mut bytes[at + HEADER_BYTES..at + HEADER_BYTES + size];
                self.mend(kind, u16::from_be_bytes([channel_high, channel_low]), payload);
            }
            at += whole.min(there);
            self.passing = whole - whole.min(there);
        }
        at
    }

    fn mend(&mut self, kind: u8, channel: u16, payload: &mut [u8]) {
        if kind == CONTENT_HEADER {
            if let Some(findings) = mend::content_header(payload) {
                self.note(channel, &findings);
            }
            return;
        }
        let method = mend::method(payload);
        match method.begins {
            mend::Begins::Message(tag) => *self.tag_mut(channel) = tag,
            // What comes back is our own, and nobody settles it.
            mend::Begins::Returned => *self.tag_mut(channel) = 0,
            mend::Begins::Channel => self.defects.forget(channel),
            mend::Begins::Nothing => {}
        }
        if let Some(findings) = method.findings {
            self.note(channel, &findings);
        }
    }

    fn tag_mut(&mut self, channel: u16) -> &mut u64 {
        let index = usize::from(channel);
        if self.tags.len() <= index {
            self.tags.resize(index + 1, 0);
        }
        &mut self.tags[index]
    }

    #[cold]
    fn note(&mut self, channel: u16, findings: &[Finding]) {
        let tag = *self.tag_mut(channel);
        if tag != 0 {
            self.defects.add(channel, tag, findings.iter().map(ToString::to_string));
        }
    }
}

#[cfg(test)]
mod tests;
