//! Frames that are fine, hostile and broken.

use super::*;
use crate::transport::wire::NESTING_MAX;

/// A frame of this kind on channel 3.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind, 0, 3], &size[..], payload, &[0xce]].concat()
}

fn short(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn deliver(tag: u64, exchange: &[u8], key: &[u8]) -> Vec<u8> {
    let method = [&[0, 60, 0, 60], &short(b"ctag")[..], &tag.to_be_bytes(), &[0]].concat();
    frame(METHOD, &[method, short(exchange), short(key)].concat())
}

fn got(tag: u64, key: &[u8]) -> Vec<u8> {
    let method = [&[0, 60, 0, 71], &tag.to_be_bytes()[..], &[0]].concat();
    frame(METHOD, &[method, short(b"e"), short(key), vec![0, 0, 0, 0]].concat())
}

/// A content header with these flags and properties.
fn header(flags: u16, properties: &[u8]) -> Vec<u8> {
    let before = [0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4];
    frame(CONTENT_HEADER, &[&before, &flags.to_be_bytes()[..], properties].concat())
}

const HEADERS: u16 = 1 << 13;

/// A table in a table in a table ..: so many of them, the outermost one included.
fn nested(tables: usize) -> Vec<u8> {
    (1..tables).fold(long(b""), |inner, _| long(&[&short(b"t"), &b"F"[..], &inner].concat()))
}

/// What comes out of the guard when all of it arrives at once, and what is wrong with message 7.
fn through(bytes: &[u8]) -> (Vec<u8>, Option<String>) {
    let defects = Arc::new(Defects::default());
    let mut bytes = bytes.to_vec();
    let passed = Guard::new(defects.clone()).look(&mut bytes);
    assert_eq!(passed, bytes.len(), "nothing is kept of whole frames");
    (bytes, defects.take(3, 7))
}

#[test]
fn what_is_fine_passes_as_it_is() {
    let numbers =
        b"\x01atT\0\0\0\0\0\0\0\x01\x01bs\0\x01\x01cI\0\0\0\x01\x01dV\x01et\x01\x01fD\x02\0\0\0\x01";
    let texts = b"\x02\xc3\xa4S\0\0\0\x02\xff\xfe\x01gx\0\0\0\x01\xff";
    let table = long(&[&numbers[..], texts, b"\x01hA", &long(b"t\x01V")].concat());
    let all =
        [short(b"text/plain"), short(b"gzip"), table, vec![2, 9], short(b"c"), short(b"r"), short(b"1")];
    let rest = [short(b"m"), vec![0; 8], short(b"type"), short(b"user"), short(b"app"), short(b"cluster")];
    let everything = header(0xfffc, &[all.concat(), rest.concat()].concat());
    let frames: [&[u8]; 7] = [
        &deliver(7, b"e", "schl\u{fc}ssel".as_bytes()),
        &everything,
        &frame(3, b"\xff\xff\xff\xff"),
        &frame(8, b""),
        &frame(METHOD, b"\0\x0a\0\x0a\0\x09\xff\xff"),
        &header(0, b""),
        &header(HEADERS, &nested(NESTING_MAX + 1)),
    ];
    let stream = frames.concat();
    assert_eq!(through(&stream), (stream.clone(), None));
}

#[test]
fn what_is_not_utf8_is_mended_and_told() {
    let tail = header(0, b"");
    let rows: [(Vec<u8>, Vec<u8>, &str); 8] = [
        (
            [deliver(7, b"e", b"\xff.a"), tail.clone()].concat(),
            [deliver(7, b"e", b"?.a"), tail.clone()].concat(),
            r"the routing key is not UTF-8: \xff.a",
        ),
        (
            [got(7, b"a\xe2\x82"), tail.clone()].concat(),
            [got(7, b"a??"), tail.clone()].concat(),
            r"the routing key is not UTF-8: a\xe2\x82",
        ),
        (
            [deliver(7, b"\xc3(", b"k"), tail].concat(),
            [deliver(7, b"?(", b"k"), header(0, b"")].concat(),
            r"the name of the exchange is not UTF-8: \xc3(",
        ),
        (
            [deliver(7, b"e", b"k"), header(1 << 7, &short(b"id\x80"))].concat(),
            [deliver(7, b"e", b"k"), header(1 << 7, &short(b"id?"))].concat(),
            r"the message id is not UTF-8: id\x80",
        ),
        (
            [deliver(7, b"e", b"k"), header(1 << 3, &short(b"\xf0\x9f"))].concat(),
            [deliver(7, b"e", b"k"), header(1 << 3, &short(b"??"))].concat(),
            r"the app id is not UTF-8: \xf0\x9f",
        ),
        (
            [deliver(7, b"e", b"k"), header(HEADERS, &long(b"\x02\xffaV"))].concat(),
            [deliver(7, b"e", b"k"), header(HEADERS, &long(b"\x02?aV"))].concat(),
            r"the name of a header is not UTF-8: \xffa",
        ),
        (
            [deliver(7, b"e", b"k"), header(HEADERS, &long(b"\x01tF\0\0\0\x03\x01\xffV"))].concat(),
            [deliver(7, b"e", b"k"), header(HEADERS, &long(b"\x01tF\0\0\0\x03\x01?V"))].concat(),
            r"the name of a header is not UTF-8: \xff",
        ),
        (
            [deliver(7, b"e", b"\xff"), header(1 << 15, &short(b"\xfe"))].concat(),
            [deliver(7, b"e", b"?"), header(1 << 15, &short(b"?"))].concat(),
            r"the routing key is not UTF-8: \xff; the content type is not UTF-8: \xfe",
        ),
    ];
    for (sent, read, defect) in rows {
        assert_eq!(through(&sent), (read, Some(defect.to_owned())));
    }
}

/// The reply of a broker that cuts its reasons in the middle of a character, and what comes back to us.
#[test]
fn what_is_no_message_is_mended_too() {
    for id in [[0, 20, 0, 40], [0, 10, 0, 50]] {
        let close = |text: &[u8]| frame(METHOD, &[&id, &[1, 0x94][..], &short(text), &[0, 0, 0, 0]].concat());
        assert_eq!(through(&close(b"no queue '\xc3")), (close(b"no queue '?"), None));
    }
    let returned = |key: &[u8]| {
        let method = [&[0, 60, 0, 50, 1, 0x38][..], &short(b"NO_ROUTE"), &short(b"e"), &short(key)].concat();
        [deliver(7, b"e", b"k"), frame(METHOD, &method)].concat()
    };
    assert_eq!(through(&returned(b"\xff")), (returned(b"?"), None));
}

#[test]
fn what_nests_too_deep_becomes_bytes() {
    let sent = [deliver(7, b"e", b"k"), header(HEADERS, &nested(NESTING_MAX + 2))].concat();
    let (mended, defect) = through(&sent);
    let text = format!("the headers nest more than {NESTING_MAX} tables and lists into each other");
    assert_eq!(defect.as_deref(), Some(text.as_str()));
    let changed: Vec<_> = sent.iter().zip(&mended).filter(|(sent, mended)| sent != mended).collect();
    assert_eq!(changed, [(&b'F', &b'x')]);
    // Far too deep is no deeper for us, of tables and of lists.
    let (_, defect) = through(&[deliver(7, b"e", b"k"), header(HEADERS, &nested(20_000))].concat());
    assert_eq!(defect, Some(text.clone()));
    let lists = (1..20_000).fold(long(b""), |inner, _| long(&[&b"A"[..], &inner].concat()));
    let lists = long(&[&short(b"l"), &b"A"[..], &lists].concat());
    let (_, defect) = through(&[deliver(7, b"e", b"k"), header(HEADERS, &lists)].concat());
    assert_eq!(defect, Some(text));
}

/// Frames that end too early, or whose lengths lie, are lapin's to refuse: the guard does not panic and passes them on.
#[test]
fn what_is_broken_passes() {
    let whole = [deliver(7, b"e", b"\xff"), header(HEADERS, &nested(5))];
    for frame_bytes in whole {
        for end in HEADER_BYTES..frame_bytes.len() - 1 {
            through(&frame(frame_bytes[0], &frame_bytes[HEADER_BYTES..end]));
        }
    }
    for liar in [b"\x01a?".as_slice(), b"\x01aS\xff\xff\xff\xff", b"\xff", b"\x01aF\0\0\xff\0"] {
        through(&header(HEADERS, &long(liar)));
        through(&header(HEADERS, liar));
    }
    let mut endless = [&[METHOD, 0, 0, 0xff, 0xff, 0xff, 0xff], &[0; 100][..]].concat();
    let mut guard = Guard::new(Arc::default());
    assert_eq!(guard.look(&mut endless), endless.len(), "it is not kept for ever");
}

#[test]
fn a_channel_that_begins_anew_forgets() {
    let opened = frame(METHOD, &[0, 20, 0, 11, 0, 0, 0, 0]);
    let (_, defect) = through(&[deliver(7, b"e", b"\xff"), header(0, b""), opened].concat());
    assert_eq!(defect, None);
}
