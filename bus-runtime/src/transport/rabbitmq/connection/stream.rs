//! The TCP stream between lapin and the broker, in our hands: lapin keeps to itself what the broker says about itself.

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

use super::greeting::{self, Greeting};
use super::wire::Wire;
use crate::transport::rabbitmq::tls::Tls;

/// How the server has introduced itself, once it has.
pub(super) type Introduction = Arc<OnceLock<Greeting>>;

/// Tokio, but for its TCP streams, which are [`Overheard`]: what is heard is plain text, with TLS as well.
pub(super) fn runtime(server: Introduction, tls: Option<Tls>) -> Runtime<RuntimeParts<Tokio, Streams>> {
    let tokio = Tokio::current();
    Runtime::new(RuntimeParts::new(tokio.clone(), Streams { tokio, server, tls }))
}

/// Makes TCP streams.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    tokio: Tokio,
    server: Introduction,
    tls: Option<Tls>,
}

impl Reactor for Streams {
    type TcpStream = Overheard;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + Send + 'static>(
        &self,
        _socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Overheard, _>(io::Error::from(io::ErrorKind::Unsupported))
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
    ) -> impl Future<Output = io::Result<Overheard>> + Send + 'static {
        let connecting = self.tokio.tcp_connect_addr(address);
        let (server, tls) = (self.server.clone(), self.tls.clone());
        async move {
            let stream = Wire::new(connecting.await?, tls.as_ref()).await?;
            Ok(Overheard { stream, greeting: Vec::new(), server: Some(server) })
        }
    }
}

/// A TCP stream whose first frame is read along.
pub(super) struct Overheard {
    stream: Wire,
    /// What has arrived of the first frame.
    greeting: Vec<u8>,
    /// Where to tell what it says; `None` when that is done, or cannot be.
    server: Option<Introduction>,
}

impl Overheard {
    fn listen(&mut self, bytes: &[u8]) {
        let Some(server) = &self.server else { return };
        self.greeting.extend_from_slice(bytes);
        match greeting::read(&self.greeting) {
            Greeting::Incomplete => return,
            greeting => drop(server.set(greeting)),
        }
        self.server = None;
        self.greeting = Vec::new();
    }
}

impl AsyncRead for Overheard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.listen(&buffer[..read]);
        Poll::Ready(Ok(read))
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [io::IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read_vectored(cx, buffers))?;
        let mut left = read;
        for buffer in buffers {
            let here = left.min(buffer.len());
            self.listen(&buffer[..here]);
            left -= here;
        }
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for Overheard {
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
