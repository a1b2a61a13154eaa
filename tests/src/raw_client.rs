//! An AMQP client that sends whatever bytes it is told to: what other programs, written in other languages, may publish.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long the broker may take for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

const METHOD: u8 = 1;
const CONTENT_HEADER: u8 = 2;
const BODY: u8 = 3;
const END: u8 = 0xce;

/// Class and method.
type Id = [u8; 4];
const START_OK: Id = [0, 10, 0, 11];
const TUNE: Id = [0, 10, 0, 30];
const TUNE_OK: Id = [0, 10, 0, 31];
const OPEN: Id = [0, 10, 0, 40];
const OPEN_OK: Id = [0, 10, 0, 41];
const CHANNEL_OPEN: Id = [0, 20, 0, 10];
const CHANNEL_OPEN_OK: Id = [0, 20, 0, 11];
const CONFIRM_SELECT: Id = [0, 85, 0, 10];
const CONFIRM_SELECT_OK: Id = [0, 85, 0, 11];
const PUBLISH: Id = [0, 60, 0, 40];
const ACK: Id = [0, 60, 0, 80];

/// The flag of each property that a [`RawMessage`] may have.
const HEADERS_FLAG: u16 = 1 << 13;
const MESSAGE_ID_FLAG: u16 = 1 << 7;

/// A connection with one channel, on which publishes are confirmed.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
}

/// What to publish: bytes that nobody has looked at.
#[derive(Clone, Debug, Default)]
pub struct RawMessage<'a> {
    /// The exchange.
    pub exchange: &'a [u8],
    /// The routing key.
    pub routing_key: &'a [u8],
    /// The entries of the table of headers, encoded.
    pub headers: Option<&'a [u8]>,
    /// A property that is a text.
    pub message_id: Option<&'a [u8]>,
    /// The body.
    pub body: &'a [u8],
}

impl RawClient {
    /// Connects as `guest` to the default virtual host.
    ///
    /// # Errors
    /// What the network says, or that the broker answers something else than expected.
    pub fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self { stream };
        client.stream.write_all(b"AMQP\0\0\x09\x01")?;
        client.answer([0, 10, 0, 10])?;
        let login = [&table(b"")[..], &short(b"PLAIN"), &long(b"\0guest\0guest"), &short(b"en_US")].concat();
        client.send(0, METHOD, &[&START_OK[..], &login].concat())?;
        let limits = client.answer(TUNE)?;
        // The limits of the broker are fine, but for its heartbeats: this client is gone before it would owe one.
        client.send(0, METHOD, &[&TUNE_OK[..], &limits[..6], &[0, 0]].concat())?;
        client.send(0, METHOD, &[&OPEN[..], &short(b"/"), &[0, 0]].concat())?;
        client.answer(OPEN_OK)?;
        client.send(1, METHOD, &[&CHANNEL_OPEN[..], &[0]].concat())?;
        client.answer(CHANNEL_OPEN_OK)?;
        client.send(1, METHOD, &[&CONFIRM_SELECT[..], &[0]].concat())?;
        client.answer(CONFIRM_SELECT_OK)?;
        Ok(client)
    }

    /// Publishes a message and waits until the broker has it.
    ///
    /// # Errors
    /// What the network says, or that the broker does not take it.
    pub fn publish(&mut self, message: &RawMessage<'_>) -> io::Result<()> {
        let RawMessage { exchange, routing_key, headers, message_id, body } = message;
        let target = [&short(exchange)[..], &short(routing_key), &[0]].concat();
        self.send(1, METHOD, &[&PUBLISH[..], &[0, 0], &target].concat())?;
        let mut flags = 0;
        let mut properties = Vec::new();
        if let Some(entries) = headers {
            flags |= HEADERS_FLAG;
            properties.extend(table(entries));
        }
        if let Some(id) = message_id {
            flags |= MESSAGE_ID_FLAG;
            properties.extend(short(id));
        }
        let size = (body.len() as u64).to_be_bytes();
        let header = [&[0, 60, 0, 0][..], &size, &flags.to_be_bytes(), &properties].concat();
        self.send(1, CONTENT_HEADER, &header)?;
        if !body.is_empty() {
            self.send(1, BODY, body)?;
        }
        self.answer(ACK).map(drop)
    }

    fn send(&mut self, channel: u16, kind: u8, payload: &[u8]) -> io::Result<()> {
        let size = u32::try_from(payload.len()).map_err(io::Error::other)?;
        let head = [&[kind][..], &channel.to_be_bytes(), &size.to_be_bytes()].concat();
        self.stream.write_all(&[&head, payload, &[END]].concat())
    }

    /// The arguments of the next method, which must be this one.
    fn answer(&mut self, wanted: Id) -> io::Result<Vec<u8>> {
        loop {
            let mut head = [0; 7];
            self.stream.read_exact(&mut head)?;
            let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]);
            let mut payload = vec![0; size as usize + 1];
            self.stream.read_exact(&mut payload)?;
            payload.pop();
            match payload.split_first_chunk() {
                Some((id, arguments)) if head[0] == METHOD && *id == wanted => return Ok(arguments.to_vec()),
                _ if head[0] != METHOD => {}
                _ => {
                    let text = payload.escape_ascii();
                    return Err(io::Error::other(format!("the broker answers {text}, not {wanted:?}")));
                }
            }
        }
    }
}

fn short(text: &[u8]) -> Vec<u8> {
    [&[u8::try_from(text.len()).expect("a short text")], text].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).expect("fewer than 4 GiB").to_be_bytes(), bytes].concat()
}

fn table(entries: &[u8]) -> Vec<u8> {
    long(entries)
}

/// One entry of a table of headers.
#[must_use]
pub fn entry(name: &[u8], kind: u8, value: &[u8]) -> Vec<u8> {
    [&short(name)[..], &[kind], value].concat()
}

/// The entries of a table that has a table in a table in a table ..: so many levels.
#[must_use]
pub fn nested_entries(levels: usize) -> Vec<u8> {
    (0..levels).fold(Vec::new(), |inner, _| entry(b"t", b'F', &table(&inner)))
}
