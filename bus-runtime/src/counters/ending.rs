//! How a call of a handler ended, and how a publish did, in the few words that labels may have.

use crate::error::{Error, ErrorKind};
use crate::outcome::{DeadLetterReason, Outcome};

/// How a call of a handler ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Not with a failure: also when the handler asks for another attempt.
    Done,
    /// It returned an error.
    Error,
    /// It took too long.
    Timeout,
    /// It panicked.
    Panic,
    /// Its body could not be decoded.
    Decode,
    /// It, or one of its arguments, refused the message.
    Rejected,
}

impl Ending {
    pub(crate) const ALL: [Self; 6] =
        [Self::Done, Self::Error, Self::Timeout, Self::Panic, Self::Decode, Self::Rejected];

    pub(crate) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Failed(error) if error.is_panic() => Self::Panic,
            Outcome::Failed(error) if error.is_timeout() => Self::Timeout,
            Outcome::Failed(_) => Self::Error,
            Outcome::DeadLetter(DeadLetterReason::Decode, _) => Self::Decode,
            Outcome::DeadLetter(..) => Self::Rejected,
            Outcome::Done(_) | Outcome::Ack | Outcome::Retry(_) | Outcome::Requeue | Outcome::Discard => {
                Self::Done
            }
        }
    }

    /// The value of a label; nothing for what is no failure.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Done => "",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
            Self::Decode => "decode",
            Self::Rejected => "rejected",
        }
    }
}

/// How a publish ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// The broker has it.
    Confirmed,
    /// Nobody received it, and somebody should have.
    Unroutable,
    /// The broker refused it.
    Nacked,
    /// The broker did not confirm it in time.
    TimedOut,
    /// The connection was lost.
    Disconnected,
    /// Anything else.
    Other,
}

impl Sending {
    pub(crate) const ALL: [Self; 6] =
        [Self::Confirmed, Self::Unroutable, Self::Nacked, Self::TimedOut, Self::Disconnected, Self::Other];

    pub(crate) fn of(sent: &Result<(), Error>) -> Self {
        sent.as_ref().map_or_else(Self::of_error, |()| Self::Confirmed)
    }

    pub(crate) fn of_error(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Unroutable => Self::Unroutable,
            ErrorKind::Nacked => Self::Nacked,
            ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::Disconnected => Self::Disconnected,
            _ => Self::Other,
        }
    }

    /// The value of a label; nothing for what is no failure.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "",
            Self::Unroutable => "unroutable",
            Self::Nacked => "nacked",
            Self::TimedOut => "timeout",
            Self::Disconnected => "disconnected",
            Self::Other => "_OTHER",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_stands_at_its_place() {
        for (at, ending) in Ending::ALL.into_iter().enumerate() {
            assert_eq!(ending as usize, at);
        }
        for (at, sending) in Sending::ALL.into_iter().enumerate() {
            assert_eq!(sending as usize, at);
        }
        for (at, reason) in DeadLetterReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at);
        }
    }
}
