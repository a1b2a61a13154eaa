//! The trace that a message belongs to, as W3C writes it into headers, and the spans that follow it.

#[cfg(not(feature = "otel"))]
use tracing::Span;

#[cfg(not(feature = "otel"))]
use super::traces::TraceParent;
use crate::envelope::Headers;
#[cfg(any(feature = "otel", test))]
use crate::envelope::header;

#[cfg(feature = "otel")]
mod bridge;
#[cfg(feature = "otel")]
pub(super) use bridge::{attributes, follow, inject, link, sampled_trace};

/// A span of somebody, in this process or another.
#[cfg(any(feature = "otel", test))]
#[derive(Clone, Debug, PartialEq, Eq)]
struct TraceContext {
    trace_id: u128,
    span_id: u64,
    flags: u8,
    /// What vendors say beside it.
    state: Option<String>,
}

#[cfg(any(feature = "otel", test))]
impl TraceContext {
    /// Reads `traceparent` and `tracestate`; `None` when there is none, or none that can be followed.
    fn of(headers: &Headers) -> Option<Self> {
        let mut context = Self::parse(headers.text(header::TRACEPARENT)?.trim())?;
        context.state = headers.text(header::TRACESTATE).map(str::to_owned);
        Some(context)
    }

    /// Reads `00-<32 digits>-<16 digits>-<2 digits>`. A later version may say more behind that.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace_id, span_id, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let lengths = [(version, 2), (trace_id, 32), (span_id, 16), (flags, 2)];
        let is_hex = |text: &str| text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        if !lengths.iter().all(|(part, length)| part.len() == *length && is_hex(part)) {
            return None;
        }
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let trace_id = u128::from_str_radix(trace_id, 16).ok().filter(|id| *id != 0)?;
        let span_id = u64::from_str_radix(span_id, 16).ok().filter(|id| *id != 0)?;
        Some(Self { trace_id, span_id, flags: u8::from_str_radix(flags, 16).ok()?, state: None })
    }

    /// As it stands in the header `traceparent`.
    fn to_text(&self) -> String {
        format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, self.flags)
    }
}

/// Without the feature `otel` headers are passed on from message to message, and spans know nothing of them.
#[cfg(not(feature = "otel"))]
pub(super) fn follow(_span: &Span, _headers: &Headers, _parent: TraceParent) {}

#[cfg(not(feature = "otel"))]
pub(super) fn link(_span: &Span, _headers: &Headers) {}

#[cfg(not(feature = "otel"))]
pub(super) fn inject(_span: &Span, _headers: &mut Headers) {}

#[cfg(not(feature = "otel"))]
pub(super) fn sampled_trace(_span: &Span) -> Option<u128> {
    None
}

#[cfg(not(feature = "otel"))]
pub(super) fn attributes<const N: usize>(
    _span: &Span,
    _attributes: [(&'static str, super::spans::Attribute<'_>); N],
) {
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::HeaderValue;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn o6_a_context_is_read_and_written() {
        let context = TraceContext::parse(PARENT).unwrap();
        assert_eq!((context.span_id, context.flags), (0x00f0_67aa_0ba9_02b7, 1));
        assert_eq!(context.to_text(), PARENT);
    }

    #[test]
    fn o6_text_and_bytes_are_both_headers() {
        let text = HeaderValue::from(PARENT.to_owned());
        let bytes = HeaderValue::Bytes(bytes::Bytes::from_static(PARENT.as_bytes()));
        for value in [text, bytes] {
            let headers =
                [(header::TRACEPARENT, value), (header::TRACESTATE, "a=1".into())].into_iter().collect();
            assert_eq!(TraceContext::of(&headers).unwrap().state.as_deref(), Some("a=1"));
        }
    }

    #[test]
    fn o6_what_cannot_be_followed() {
        let later = format!("01-{}-more", &PARENT[3..]);
        assert!(TraceContext::parse(&later).is_some(), "a later version may say more");
        for wrong in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(TraceContext::parse(wrong), None, "{wrong}");
        }
    }
}
