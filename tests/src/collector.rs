//! A collector of OpenTelemetry's protocol over HTTP, as much of it as tests need: it takes spans, and keeps them.

#![allow(clippy::disallowed_methods, reason = "what runs beside the bus is no part of it")]

use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
pub use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What somebody has sent at once.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The request line and the headers.
    pub head: String,
    /// The spans, and what they are of.
    pub request: ExportTraceServiceRequest,
}

/// A collector that listens, for as long as the runtime lives.
#[derive(Clone, Debug)]
pub struct Collector {
    url: String,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Collector {
    /// Listens on a port of its own.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let collector = Self { url, sent: Arc::default() };
        let serving = collector.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { while serving.serve(&mut stream).await.is_some() {} });
            }
        });
        collector
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Everything that it was sent.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The spans that it was sent, in the order in which they began.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        let of_resources = self.sent().into_iter().flat_map(|sent| sent.request.resource_spans);
        let of_scopes = of_resources.flat_map(|resource| resource.scope_spans);
        let mut spans: Vec<_> = of_scopes.flat_map(|scope| scope.spans).collect();
        spans.sort_by_key(|span| span.start_time_unix_nano);
        spans
    }

    /// What it was told about who has sent them.
    ///
    /// # Panics
    /// When it was sent nothing.
    #[must_use]
    pub fn resource(&self) -> Vec<KeyValue> {
        let sent = self.sent();
        let resource = sent.first().and_then(|sent| sent.request.resource_spans.first());
        resource.and_then(|spans| spans.resource.clone()).expect("a resource").attributes
    }

    /// Takes one request; `None` when there are no more on this connection.
    async fn serve(&self, stream: &mut TcpStream) -> Option<()> {
        let mut bytes = Vec::new();
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            stream.read_buf(&mut bytes).await.ok().filter(|count| *count > 0)?;
        };
        let head = String::from_utf8(bytes.drain(..head_end).collect()).ok()?;
        let headers = head.lines().filter_map(|line| line.split_once(':'));
        let mut lengths = headers.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length: usize = lengths.next()?.1.trim().parse().ok()?;
        while bytes.len() < length {
            stream.read_buf(&mut bytes).await.ok().filter(|count| *count > 0)?;
        }
        let (status, taken) = match ExportTraceServiceRequest::decode(bytes.as_slice()) {
            Ok(request) if head.starts_with("POST /v1/traces ") => ("200 OK", Some(request)),
            _ => ("400 Bad Request", None),
        };
        if let Some(request) = taken {
            self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(Sent { head, request });
        }
        // An empty answer says that all was taken.
        let answer =
            format!("HTTP/1.1 {status}\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.ok()
    }
}

/// The value of an attribute, as text.
#[must_use]
pub fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        Value::BoolValue(is) => Some(is.to_string()),
        _ => None,
    }
}
