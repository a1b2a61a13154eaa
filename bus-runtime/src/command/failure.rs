//! Why a command failed where it was handled, and how that travels back to whoever asked.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::names::RoutingKey;
use crate::outcome::{DeadLetterReason, HandlerError, Outcome};

/// The word for a command whose caller had given up before it began.
const EXPIRED: &str = "expired";
/// The word for a command that the handler's `when` does not want.
const FILTERED: &str = "filtered";
const TIMEOUT: &str = "timeout";

/// What became of a command: the reply as JSON, or why there is none.
pub(crate) type Answer = Result<Bytes, CommandFailure>;

/// Why a command failed where it was handled: the [`source`](std::error::Error::source) of the error that
/// [`execute`](crate::Publisher::execute) returns.
///
/// ```
/// use bus_runtime::{CommandFailure, Error};
///
/// fn is_duplicate(error: &Error) -> bool {
///     CommandFailure::of(error).is_some_and(|failure| failure.error_type().ends_with("DuplicateUser"))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandFailure {
    error: String,
    error_type: String,
    /// Older workers do not say.
    #[serde(default = "failed")]
    reason: Cow<'static, str>,
}

fn failed() -> Cow<'static, str> {
    Cow::Borrowed(DeadLetterReason::Failed.as_str())
}

impl CommandFailure {
    fn new(reason: &'static str, error: impl Into<String>, error_type: impl Into<String>) -> Self {
        Self { error: error.into(), error_type: error_type.into(), reason: Cow::Borrowed(reason) }
    }

    /// Whoever sent it had given up before it began.
    pub(crate) fn expired() -> Self {
        Self::new(EXPIRED, "nobody waits for it any more", "")
    }

    /// The handler does not want it.
    pub(crate) fn filtered() -> Self {
        Self::new(FILTERED, "the handler does not want it", "")
    }

    /// The failure that an error of `execute` is about; `None` when the command was not answered.
    #[must_use]
    pub fn of(error: &Error) -> Option<&Self> {
        std::error::Error::source(error).and_then(|source| source.downcast_ref())
    }

    /// The text of the handler's error and of all its sources.
    #[must_use]
    pub fn error(&self) -> &str {
        &self.error
    }

    /// The Rust type of the handler's error, such as `app::CreateError`; `panic` and `timeout` for those.
    #[must_use]
    pub fn error_type(&self) -> &str {
        &self.error_type
    }

    /// Why, in one word: `failed`, `panic`, `timeout`, `expired`, `filtered`, or that of a
    /// [`DeadLetterReason`].
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The error that the caller sees.
    fn into_error(self, topic: &RoutingKey) -> Error {
        let is = |reason: DeadLetterReason| self.reason == reason.as_str();
        let (kind, what) = match &*self.reason {
            TIMEOUT => (ErrorKind::TimedOut, "took longer than its timeout"),
            EXPIRED => (ErrorKind::TimedOut, "was not called in time"),
            FILTERED => (ErrorKind::CommandFailed, "does not want it"),
            _ if is(DeadLetterReason::Decode) || is(DeadLetterReason::TooLarge) => {
                (ErrorKind::Codec, "can't read it")
            }
            _ => (ErrorKind::CommandFailed, "failed"),
        };
        let error = Error::new(kind, format!("the handler of command `{topic}` {what}"));
        let error = match &*self.reason {
            EXPIRED => error.with_help(
                "its deadline had passed when a worker had a free slot; if that is sooner than you waited, the clocks of the two machines differ",
            ),
            _ => error,
        };
        error.with_source(self)
    }
}

impl fmt::Display for CommandFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)
    }
}

impl std::error::Error for CommandFailure {}

impl From<&HandlerError> for CommandFailure {
    fn from(error: &HandlerError) -> Self {
        let reason = match error {
            error if error.is_timeout() => TIMEOUT,
            error if error.is_panic() => "panic",
            _ => DeadLetterReason::Failed.as_str(),
        };
        Self::new(reason, error.chain(), error.type_name())
    }
}

/// What whoever asked is told of an outcome after which there is no other attempt. An error is an answer too.
pub(crate) fn answer(outcome: &Outcome) -> Answer {
    match outcome {
        Outcome::Done(reply) => Ok(reply.clone().unwrap_or(Bytes::from_static(b"null"))),
        Outcome::Ack => Ok(Bytes::from_static(b"null")),
        Outcome::Failed(error) => Err(error.into()),
        Outcome::DeadLetter(reason, text) => Err(CommandFailure::new(reason.as_str(), text, "")),
        Outcome::Retry(_) | Outcome::Requeue => {
            let text = "the handler asked for another attempt, and there is none left";
            Err(CommandFailure::new(DeadLetterReason::Failed.as_str(), text, ""))
        }
        Outcome::Discard => Err(CommandFailure::filtered()),
    }
}

/// What a reply's body holds.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Reply<R> {
    Ok(R),
    Err(CommandFailure),
}

/// The body of a reply; `None` when the handler's part of it is no JSON.
pub(super) fn encode(answer: &Answer) -> Option<Vec<u8>> {
    match answer {
        Ok(value) => {
            let value: &serde_json::value::RawValue = serde_json::from_slice(value).ok()?;
            serde_json::to_vec(&Reply::Ok(value)).ok()
        }
        Err(failure) => serde_json::to_vec(&Reply::<()>::Err(failure.clone())).ok(),
    }
}

/// What a reply's body says, for whoever asked.
pub(super) fn decode<R: DeserializeOwned>(topic: &RoutingKey, body: &[u8]) -> Result<R, Error> {
    match serde_json::from_slice(body) {
        Ok(Reply::Ok(value)) => Ok(value),
        Ok(Reply::Err(failure)) => Err(failure.into_error(topic)),
        Err(error) => Err(undecodable(topic, error)),
    }
}

/// What an answer of this process says, for whoever asked.
pub(super) fn read<R: DeserializeOwned>(topic: &RoutingKey, answer: Answer) -> Result<R, Error> {
    let value = answer.map_err(|failure| failure.into_error(topic))?;
    serde_json::from_slice(&value).map_err(|error| undecodable(topic, error))
}

fn undecodable(topic: &RoutingKey, error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Codec, format!("can't decode the reply to command `{topic}`")).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{reject, retry};

    fn topic() -> RoutingKey {
        RoutingKey::new("user.create").unwrap()
    }

    #[test]
    fn every_outcome_has_its_answer() {
        let failed = |error| Outcome::Failed(error);
        let table = [
            (Outcome::Done(Some(Bytes::from_static(b"7"))), Ok("7")),
            (Outcome::Done(None), Ok("null")),
            (failed(HandlerError::new("no")), Err("failed")),
            (failed(HandlerError::permanent("no")), Err("failed")),
            (failed(HandlerError::panic("no".into())), Err("panic")),
            (failed(HandlerError::timeout(std::time::Duration::ZERO)), Err("timeout")),
            (reject("no"), Err("rejected")),
            (retry(), Err("failed")),
            (Outcome::Requeue, Err("failed")),
            (Outcome::Discard, Err("filtered")),
        ];
        for (outcome, wanted) in table {
            let found = answer(&outcome);
            let found = found.as_ref().map(|value| std::str::from_utf8(value).unwrap());
            assert_eq!(found.map_err(CommandFailure::reason), wanted, "{outcome:?}");
        }
    }

    #[test]
    fn each_failure_is_an_error_of_its_own() {
        let table = [
            ("failed", ErrorKind::CommandFailed),
            ("panic", ErrorKind::CommandFailed),
            ("rejected", ErrorKind::CommandFailed),
            ("timeout", ErrorKind::TimedOut),
            ("expired", ErrorKind::TimedOut),
            ("decode", ErrorKind::Codec),
        ];
        for (reason, kind) in table {
            let body = encode(&Err(CommandFailure::new(reason, "out of paper", "app::Empty"))).unwrap();
            let error = decode::<u64>(&topic(), &body).unwrap_err();
            assert_eq!(error.kind(), kind, "{reason}");
            let failure = CommandFailure::of(&error).unwrap();
            assert_eq!(
                (failure.error(), failure.error_type(), failure.reason()),
                ("out of paper", "app::Empty", reason)
            );
        }
        let old = br#"{"err":{"error":"no","error_type":"E"}}"#;
        assert_eq!(decode::<u64>(&topic(), old).unwrap_err().kind(), ErrorKind::CommandFailed);
        assert_eq!(decode::<u64>(&topic(), b"{").unwrap_err().kind(), ErrorKind::Codec);
        assert_eq!(decode::<u64>(&topic(), &encode(&Ok(Bytes::from_static(b"7"))).unwrap()).unwrap(), 7);
    }
}
