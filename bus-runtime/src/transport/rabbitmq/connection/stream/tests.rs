//! A stream that arrives in pieces of any size.

use std::collections::VecDeque;
use std::task::Waker;

use super::*;

/// A stream that yields these pieces, and nothing in between.
struct Pieces(VecDeque<Vec<u8>>);

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Some(mut piece) = self.0.pop_front() else { return Poll::Ready(Ok(0)) };
        let count = piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&piece[..count]);
        let rest = piece.split_off(count);
        if !rest.is_empty() {
            self.0.push_front(rest);
        }
        Poll::Ready(Ok(count))
    }
}

/// A greeting, messages that are fine, hostile ones in between, and bodies.
fn conversation() -> Vec<u8> {
    let frame = |kind: u8, payload: &[u8]| {
        let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&[kind, 0, 1], &size[..], payload, &[0xce]].concat()
    };
    let deliver = |tag: u8, key: &[u8]| {
        let length = u8::try_from(key.len()).unwrap();
        let method = [&[0, 60, 0, 60, 1, b'c', 0, 0, 0, 0, 0, 0, 0, tag, 0, 1, b'e', length], key].concat();
        frame(1, &method)
    };
    let header = |flags: [u8; 2], properties: &[u8]| {
        frame(2, &[&[0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4], &flags[..], properties].concat())
    };
    [
        frame(1, b"\0\x0a\0\x0a\0\x09\0\0\0\0\0\0\0\x05PLAIN\0\0\0\x05en_US"),
        deliver(1, b"fine"),
        header([0, 0], b""),
        frame(3, b"body"),
        deliver(2, b"\xffhostile"),
        header([0x20, 0], b"\0\0\0\x03\x01\xfeV"),
        frame(3, &[0xff; 300]),
        frame(8, b""),
        deliver(3, b"fine again"),
        header([0x80, 0], b"\x0atext/plain"),
        frame(3, b"more"),
    ]
    .concat()
}

/// Everything that comes out, through buffers of these sizes in turn, and what was wrong with the message.
fn read(pieces: Vec<Vec<u8>>, buffers: &[usize]) -> (Vec<u8>, Option<String>) {
    let defects = Arc::new(Defects::default());
    let mut stream = Guarded::new(Pieces(pieces.into()), Introduction::default(), defects.clone());
    let mut cx = Context::from_waker(Waker::noop());
    let mut all = Vec::new();
    for size in buffers.iter().cycle() {
        let mut buffer = vec![0; *size];
        match Pin::new(&mut stream).poll_read(&mut cx, &mut buffer) {
            Poll::Ready(Ok(0)) => break,
            Poll::Ready(Ok(count)) => all.extend_from_slice(&buffer[..count]),
            other => panic!("{other:?}"),
        }
    }
    (all, defects.take(1, 2))
}

#[test]
fn cut_at_any_byte() {
    let sent = conversation();
    let (whole, defect) = read(vec![sent.clone()], &[1 << 16]);
    assert_eq!(whole.len(), sent.len());
    assert_eq!(whole.iter().zip(&sent).filter(|(a, b)| a != b).count(), 2, "two bytes are mended");
    let expected = r"the routing key is not UTF-8: \xffhostile; the name of a header is not UTF-8: \xfe";
    assert_eq!(defect.as_deref(), Some(expected));
    for cut in 1..sent.len() {
        let (before, after) = sent.split_at(cut);
        let pieces = vec![before.to_vec(), after.to_vec()];
        assert_eq!(read(pieces, &[1 << 16]), (whole.clone(), defect.clone()), "cut at {cut}");
    }
}

#[test]
fn in_pieces_and_through_buffers_of_any_size() {
    let sent = conversation();
    let expected = read(vec![sent.clone()], &[1 << 16]);
    // A generator with a fixed seed: what fails once fails again.
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..2_000 {
        let mut rest = sent.as_slice();
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let (piece, others) = rest.split_at(random.usize(1..=rest.len().min(1 + round % 97)));
            pieces.push(piece.to_vec());
            rest = others;
        }
        let buffers: Vec<_> = (0..8).map(|_| random.usize(1..64)).collect();
        assert_eq!(read(pieces, &buffers), expected, "round {round}");
    }
}
