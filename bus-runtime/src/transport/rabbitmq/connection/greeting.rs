//! The first frame of a broker, `connection.start`: what it is and which version.

/// `connection.start` of RabbitMQ has some 500 bytes; a larger first frame is something else.
const GREETING_BYTES_MAX: usize = 16 * 1024;
/// Type, channel and size of a frame.
const FRAME_HEADER: usize = 7;
/// A method frame.
const METHOD: u8 = 1;
/// What an alert of TLS begins with.
const TLS_ALERT: [u8; 2] = [21, 3];
/// Class and method of `connection.start`, and the version of the protocol.
const START: [u8; 6] = [0, 10, 0, 10, 0, 9];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// There is more to come.
    Incomplete,
    /// Product and version, such as `RabbitMQ 3.10.8`.
    From(String),
    /// It refuses plain text: an alert of TLS.
    Tls,
    /// It says nothing that we understand.
    Unknown,
}

/// Reads what has arrived so far.
pub(super) fn read(bytes: &[u8]) -> Greeting {
    let Some((header, rest)) = bytes.split_at_checked(FRAME_HEADER) else { return Greeting::Incomplete };
    let size = u32::from_be_bytes([header[3], header[4], header[5], header[6]]) as usize;
    if header.starts_with(&TLS_ALERT) {
        return Greeting::Tls;
    }
    if header[0] != METHOD || size > GREETING_BYTES_MAX {
        return Greeting::Unknown;
    }
    match rest.get(..size) {
        None => Greeting::Incomplete,
        Some(method) => start(method).map_or(Greeting::Unknown, Greeting::From),
    }
}

/// The server properties of `connection.start`.
fn start(method: &[u8]) -> Option<String> {
    let mut reader = Reader(method.strip_prefix(&START)?);
    let mut table = Reader(reader.long_bytes()?);
    let (mut product, mut version) = (None, None);
    while !table.0.is_empty() && (product.is_none() || version.is_none()) {
        let name = table.short_text()?;
        match (name, table.value()?) {
            ("product", Some(text)) => product = Some(text),
            ("version", Some(text)) => version = Some(text),
            _ => {}
        }
    }
    Some(format!("{} {}", product?, version?))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn short_text(&mut self) -> Option<&'a str> {
        let length = self.take(1)?[0];
        std::str::from_utf8(self.take(length.into())?).ok()
    }

    fn long_bytes(&mut self) -> Option<&'a [u8]> {
        let length: [u8; 4] = self.take(4)?.try_into().ok()?;
        self.take(u32::from_be_bytes(length) as usize)
    }

    /// Steps over a value; its text, when it is one.
    fn value(&mut self) -> Option<Option<&'a str>> {
        match self.take(1)?[0] {
            b'S' => Some(std::str::from_utf8(self.long_bytes()?).ok()),
            b'F' | b'A' | b'x' => self.long_bytes().map(|_| None),
            b'V' => Some(None),
            b't' | b'b' | b'B' => self.take(1).map(|_| None),
            b's' | b'u' | b'U' => self.take(2).map(|_| None),
            b'I' | b'i' | b'f' => self.take(4).map(|_| None),
            b'l' | b'L' | b'd' | b'T' => self.take(8).map(|_| None),
            b'D' => self.take(5).map(|_| None),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `connection.start` with these server properties.
    fn frame(properties: &[u8]) -> Vec<u8> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_be_bytes();
        let mut method = START.to_vec();
        method.extend(length(properties));
        method.extend(properties);
        method.extend(b"\0\0\0\x05PLAIN\0\0\0\x05en_US");
        let mut frame = vec![METHOD, 0, 0];
        frame.extend(length(&method));
        frame.extend(method);
        frame.push(0xce);
        frame
    }

    const PROPERTIES: &[u8] =
        b"\x0ccapabilitiesF\0\0\0\x06\x03ackt\x01\x07productS\0\0\0\x08RabbitMQ\x07versionS\0\0\0\x063.10.8";

    #[test]
    fn product_and_version() {
        let frame = frame(PROPERTIES);
        assert_eq!(read(&frame), Greeting::From("RabbitMQ 3.10.8".to_owned()));
        for length in 0..frame.len() - 1 {
            assert_eq!(read(&frame[..length]), Greeting::Incomplete, "{length}");
        }
    }

    #[test]
    fn anything_else() {
        assert_eq!(read(b"HTTP/1.1 400 Bad Request"), Greeting::Unknown);
        assert_eq!(read(b"\x15\x03\x01\0\x02\x02\x0a"), Greeting::Tls);
        assert_eq!(read(b"AMQP\0\0\x09\x01"), Greeting::Unknown);
        assert_eq!(read(&frame(b"")), Greeting::Unknown);
        assert_eq!(read(&frame(b"\x07productS\0\0\xff\xffRabbitMQ")), Greeting::Unknown);
        assert_eq!(read(&frame(b"\x07product?")), Greeting::Unknown);
        assert_eq!(read(&frame(b"\xff")), Greeting::Unknown);
    }
}
