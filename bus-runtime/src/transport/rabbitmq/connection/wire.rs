//! The bytes between us and the broker: plain, or encrypted.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_rs::Tokio;
use async_rs::traits::Reactor;
use futures_util::io::{AsyncRead, AsyncWrite};

use crate::transport::rabbitmq::tls::{Secured, Tls};

type TokioStream = <Tokio as Reactor>::TcpStream;

/// A stream to the broker, in the traits of the client library.
pub(super) enum Wire {
    Plain(TokioStream),
    Secured(Secured),
}

impl Wire {
    /// A connected stream, over TLS when that is wanted.
    pub(super) async fn new(stream: TokioStream, tls: Option<&Tls>) -> io::Result<Self> {
        match tls {
            None => Ok(Self::Plain(stream)),
            Some(tls) => tls.secure(stream.into_inner()).await.map(Self::Secured),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Secured(stream) => read_secured(stream, cx, buffer),
        }
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [io::IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_read_vectored(cx, buffers),
            Self::Secured(stream) => match buffers.iter_mut().find(|buffer| !buffer.is_empty()) {
                Some(buffer) => read_secured(stream, cx, buffer),
                None => Poll::Ready(Ok(0)),
            },
        }
    }
}

/// The next bytes in plain text.
fn read_secured(stream: &mut Secured, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
    let mut buffer = tokio::io::ReadBuf::new(buffer);
    let read = tokio::io::AsyncRead::poll_read(Pin::new(stream), cx, &mut buffer);
    read.map_ok(|()| buffer.filled().len())
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buffer),
            Self::Secured(stream) => tokio::io::AsyncWrite::poll_write(Pin::new(stream), cx, buffer),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, buffers),
            Self::Secured(stream) => {
                tokio::io::AsyncWrite::poll_write_vectored(Pin::new(stream), cx, buffers)
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Secured(stream) => tokio::io::AsyncWrite::poll_flush(Pin::new(stream), cx),
        }
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(stream) => Pin::new(stream).poll_close(cx),
            Self::Secured(stream) => tokio::io::AsyncWrite::poll_shutdown(Pin::new(stream), cx),
        }
    }
}
