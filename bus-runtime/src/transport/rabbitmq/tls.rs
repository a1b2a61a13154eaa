//! TLS towards the broker. We speak it ourselves and hand the client library a stream of plain text.

#[cfg(feature = "tls")]
mod client;
#[cfg(feature = "tls")]
mod files;
#[cfg(feature = "tls")]
mod refusal;
#[cfg(feature = "tls")]
mod verifier;

#[cfg(feature = "tls")]
pub(super) use self::client::{Secured, Tls};
#[cfg(feature = "tls")]
pub(super) use self::refusal::in_words;

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(not(feature = "tls"))]
pub(super) use self::absent::{Secured, Tls, in_words};
