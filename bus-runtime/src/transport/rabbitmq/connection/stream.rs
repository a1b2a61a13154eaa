//! The TCP stream between lapin and the broker, in our hands: lapin keeps to itself what the broker says about itself, and must
//! not read some of what the broker sends.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_util::io::{AsyncRead, AsyncWrite};

use super::defects::Defects;
use super::greeting::{self, Greeting};
use super::guard::Guard;
use super::network;
use super::wire::Wire;
use crate::transport::rabbitmq::tls::Tls;

/// How much is read at once where the reader's buffer cannot hold the beginning of a frame that we keep.
const CHUNK_BYTES: usize = 4096;

/// How the server has introduced itself, once it has.
pub(super) type Introduction = Arc<OnceLock<Greeting>>;

/// Tokio, but for its TCP streams, which are [`Guarded`], with TLS as well: what is guarded is plain text.
pub(super) fn runtime(
    server: Introduction,
    defects: Arc<Defects>,
    tls: Option<Tls>,
) -> Runtime<RuntimeParts<Tokio, Streams>> {
    let tokio = Tokio::default().with_handle(network::handle());
    Runtime::new(RuntimeParts::new(tokio.clone(), Streams { tokio, server, defects, tls }))
}

/// Makes TCP streams.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    tokio: Tokio,
    server: Introduction,
    defects: Arc<Defects>,
    tls: Option<Tls>,
}

impl Reactor for Streams {
    type TcpStream = Guarded<Wire>;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + Send + 'static>(
        &self,
        _socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Guarded<Wire>, _>(io::Error::from(io::ErrorKind::Unsupported))
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        self.tokio.sleep(time)
    }

    fn interval(&self, time: Duration) -> impl futures_util::Stream<Item = Instant> + Send + 'static {
        self.tokio.interval(time)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Guarded<Wire>>> + Send + 'static {
        let connecting = self.tokio.tcp_connect_addr(address);
        let (server, defects, tls) = (self.server.clone(), self.defects.clone(), self.tls.clone());
        async move {
            let wire = Wire::new(connecting.await?, tls.as_ref()).await?;
            Ok(Guarded::new(wire, server, defects))
        }
    }
}

/// A stream whose frames are looked at before they are read, and whose first frame is read along.
///
/// Frames that hold texts of others come out of it whole. What has arrived of the next one waits here until the rest of it is
/// there; bodies, which are nearly all of the bytes, pass without waiting and without being copied.
pub(super) struct Guarded<S> {
    stream: S,
    guard: Guard,
    /// The beginning of a frame that is not complete yet.
    kept: Vec<u8>,
    /// What has been looked at, and did not fit into the buffer of the reader; next is the byte at this place.
    passed: (Vec<u8>, usize),
    /// Where to tell what the first frame says; `None` when that is done, or cannot be.
    server: Option<Introduction>,
}

impl<S> Guarded<S> {
    fn new(stream: S, server: Introduction, defects: Arc<Defects>) -> Self {
        let guard = Guard::new(defects);
        Self { stream, guard, kept: Vec::new(), passed: (Vec::new(), 0), server: Some(server) }
    }

    /// The first frame comes out of the guard as a whole.
    fn listen(&mut self, bytes: &[u8]) {
        let Some(server) = self.server.take() else { return };
        let greeting = greeting::read(bytes);
        if !matches!(greeting, Greeting::Incomplete) {
            drop(server.set(greeting));
        }
    }

    /// Hands over what did not fit before.
    fn hand_over(&mut self, buffer: &mut [u8]) -> usize {
        let (passed, at) = &mut self.passed;
        let count = buffer.len().min(passed.len() - *at);
        buffer[..count].copy_from_slice(&passed[*at..*at + count]);
        *at += count;
        if *at == passed.len() {
            self.passed = (Vec::new(), 0);
        }
        count
    }
}

impl<S: AsyncRead + Unpin> Guarded<S> {
    /// Reads behind what is kept, into the reader's own buffer. Says how many bytes are the reader's.
    fn poll_in_place(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<Option<usize>>> {
        let kept = self.kept.len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer[kept..]))?;
        if read == 0 {
            return Poll::Ready(Ok(None));
        }
        buffer[..kept].copy_from_slice(&self.kept);
        let bytes = &mut buffer[..kept + read];
        let passed = self.guard.look(bytes);
        self.kept.clear();
        self.kept.extend_from_slice(&bytes[passed..]);
        Poll::Ready(Ok(Some(passed)))
    }

    /// Reads behind what is kept, for a buffer that cannot even hold that.
    fn poll_aside(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<Option<usize>>> {
        let mut chunk = [0; CHUNK_BYTES];
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut chunk))?;
        if read == 0 {
            return Poll::Ready(Ok(None));
        }
        self.kept.extend_from_slice(&chunk[..read]);
        let passed = self.guard.look(&mut self.kept);
        let next = self.kept.split_off(passed);
        self.passed = (std::mem::replace(&mut self.kept, next), 0);
        Poll::Ready(Ok(Some(self.hand_over(buffer))))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let this = &mut *self;
        if !this.passed.0.is_empty() {
            return Poll::Ready(Ok(this.hand_over(buffer)));
        }
        loop {
            let polled = if this.kept.len() < buffer.len() {
                this.poll_in_place(cx, buffer)
            } else {
                this.poll_aside(cx, buffer)
            };
            match ready!(polled)? {
                None => return Poll::Ready(Ok(0)),
                Some(0) => {}
                Some(count) => {
                    this.listen(&buffer[..count]);
                    return Poll::Ready(Ok(count));
                }
            }
        }
    }

    /// The buffer of the reader is a ring, so the second of its parts is free when the first one is full.
    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [io::IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        match buffers.iter_mut().find(|buffer| !buffer.is_empty()) {
            Some(buffer) => self.poll_read(cx, buffer),
            None => Poll::Ready(Ok(0)),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

#[cfg(test)]
mod tests;
