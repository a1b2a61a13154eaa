//! What fuzzing asks of the guard: it keeps every length, it does not matter how the bytes arrive, and lapin can read what passes.

use std::sync::Arc;

use lapin::protocol::basic::parse_properties;

use super::super::defects::Defects;
use super::mend::{BEFORE_FLAGS, content_header};
use super::{CONTENT_HEADER, END_BYTES, FRAME_BYTES_MAX, Guard, HEADER_BYTES, METHOD};

/// Bytes from a broker.
pub(in crate::transport::rabbitmq) fn frames(data: &[u8]) {
    let whole = passed(data, data.len().max(1));
    assert!(whole.len() <= data.len());
    for portion in [1, 3, 64] {
        assert_eq!(passed(data, portion), whole, "in portions of {portion}");
    }
    assert_eq!(passed(&whole, whole.len().max(1)), whole, "what was mended is fine");
    let mut rest = whole.as_slice();
    while let Some((&[kind, _, _, a, b, c, d], _)) = rest.split_first_chunk::<HEADER_BYTES>() {
        let end = HEADER_BYTES + u32::from_be_bytes([a, b, c, d]) as usize;
        let Some(payload) = rest.get(HEADER_BYTES..end) else { return };
        if let (CONTENT_HEADER, Some(flags)) = (kind, payload.get(BEFORE_FLAGS..)) {
            // It may be nonsense, and must not end the process.
            let _read = parse_properties(flags);
        }
        let Some(next) = rest.get(end + END_BYTES..) else { return };
        rest = next;
    }
}

/// What comes out of the guard when the bytes arrive in portions of this size.
fn passed(data: &[u8], portion: usize) -> Vec<u8> {
    let mut guard = Guard::new(Arc::new(Defects::default()));
    let (mut held, mut out) = (Vec::new(), Vec::new());
    for portion in data.chunks(portion) {
        held.extend_from_slice(portion);
        let passed = guard.look(&mut held);
        assert!(passed <= held.len());
        out.extend(held.drain(..passed));
        // A frame that is waited for is one that somebody has to look at, and no larger than frames may be.
        assert!(held.len() < HEADER_BYTES || matches!(held[0], METHOD | CONTENT_HEADER), "{held:?}");
        assert!(held.len() < FRAME_BYTES_MAX);
    }
    out
}

/// A table as the guard lets it pass, in the content header of a message that has nothing else.
pub(in crate::transport::rabbitmq) fn table(data: &[u8]) -> Option<Vec<u8>> {
    const HEADERS: [u8; 2] = (1_u16 << 13).to_be_bytes();
    let length = u32::try_from(data.len()).ok()?.to_be_bytes();
    let mut payload = [&[0; BEFORE_FLAGS][..], &HEADERS, &length, data].concat();
    content_header(&mut payload);
    Some(payload.split_off(BEFORE_FLAGS + HEADERS.len()))
}
