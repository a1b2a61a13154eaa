//! What workers say to each other and to those who ask: small JSON documents with a version.

use serde::{Deserialize, Serialize};

/// The version of these words. A request of another one is answered with an error.
pub(crate) const VERSION: u32 = 1;

/// What a message on the control exchange is: its property `type`.
pub(super) mod kind {
    pub(in crate::fleet) const REQUEST: &str = "bus.control.request";
    pub(in crate::fleet) const ANSWER: &str = "bus.control.answer";
    /// A worker is there, and wants to know who else is.
    pub(in crate::fleet) const HELLO: &str = "bus.control.hello";
    /// The answer to that.
    pub(in crate::fleet) const HERE: &str = "bus.control.here";
    /// A worker is no longer there.
    pub(in crate::fleet) const BYE: &str = "bus.control.bye";
}

/// What a worker can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ask {
    /// Who are you, and how?
    Ping,
    /// What do you have in hand?
    Inflight,
    /// Take nothing new, and keep the connections.
    Quiet,
    /// Go on.
    Resume,
    /// Finish what has begun and end, as after SIGTERM.
    Drain,
    /// What have you done so far?
    Stats,
    /// What has failed of late?
    Failures,
}

impl Ask {
    /// What is meant by a word of the wire.
    pub(super) fn named(word: &str) -> Option<Self> {
        serde_json::from_value(word.into()).ok()
    }

    #[cfg(feature = "cli")]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Inflight => "inflight",
            Self::Quiet => "quiet",
            Self::Resume => "resume",
            Self::Drain => "drain",
            Self::Stats => "stats",
            Self::Failures => "failures",
        }
    }
}

/// A request as it comes: a word that is not known is to be answered, so it is read as text.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) v: u32,
    pub(super) ask: String,
    /// Whom it is for, by name or id; everybody without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) to: Option<Vec<String>>,
}

/// A worker that others know of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Peer {
    /// Tells it from all others, also from those that had its name before.
    pub(crate) id: String,
    /// Its name, which is that of its consumers.
    pub(crate) name: String,
    /// The machine.
    pub(crate) host: String,
}

impl Peer {
    /// Whether it is meant by a name, a name with its host, or an id.
    pub(crate) fn is_meant_by(&self, word: &str) -> bool {
        let with_host = || word.rsplit_once('@') == Some((&self.name, &self.host));
        word == self.id || word == self.name || with_host()
    }
}

/// How a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It takes what comes.
    Running,
    /// Somebody has asked it to take nothing new.
    Quiet,
    /// It finishes what has begun, and ends.
    Draining,
    /// Something slows it down.
    Degraded,
    /// A queue is not consumed, or the broker is away.
    NotReady,
    /// A part of it has ended that cannot come back.
    Dead,
}

#[cfg(feature = "cli")]
impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Quiet => "quiet",
            Self::Draining => "draining",
            Self::Degraded => "degraded",
            Self::NotReady => "not ready",
            Self::Dead => "dead",
        }
    }
}

/// A worker, in a row of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) peer: Peer,
    pub(crate) app: String,
    pub(crate) version: Option<String>,
    pub(crate) pid: u64,
    pub(crate) uptime_seconds: f64,
    pub(crate) handlers: u64,
    /// Messages that are being handled.
    pub(crate) in_flight: u64,
    /// What it has handled, and attempts that failed, since it started.
    pub(crate) handled: u64,
    pub(crate) failed: u64,
    /// `None` where the system does not tell.
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) state: State,
    /// What is wrong with it, a sentence each.
    pub(crate) problems: Vec<String>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(super) v: u32,
    pub(crate) worker: Report,
    /// The other workers that it knows of.
    pub(super) peers: Vec<Peer>,
    pub(crate) reply: Reply,
}

/// What an answer says beside how the worker is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    /// It is done, or will be.
    Done,
    /// What is in hand and waits for something, the oldest first.
    Inflight(Vec<Hand>),
    /// What it has done so far.
    Stats(Snapshot),
    /// What has failed of late, the newest first.
    Failures(Vec<Failure>),
    /// It is not done, and why.
    Refused(String),
}

/// A message that is being handled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hand {
    pub(crate) handler: String,
    pub(crate) since_seconds: f64,
}

/// What a worker has done since it started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) published: u64,
    pub(crate) unroutable: u64,
    pub(crate) handlers: Vec<HandlerCount>,
    pub(crate) queues: Vec<QueueCount>,
}

/// What a handler has done in one worker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct HandlerCount {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) queue: String,
    pub(crate) handled: u64,
    pub(crate) failed: u64,
    pub(crate) retried: u64,
    pub(crate) dead_lettered: u64,
    pub(crate) in_flight: u64,
    /// The time within which 95 of 100 calls have ended.
    pub(crate) p95_seconds: Option<f64>,
    pub(crate) breaker: String,
}

/// A queue as one worker sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct QueueCount {
    pub(crate) name: String,
    /// The queue of its dead letters.
    pub(crate) dead: String,
    /// Whether the broker delivers to this worker.
    pub(crate) receiving: bool,
    /// Whether it belongs to this process alone, so that nobody else can look at it.
    pub(crate) exclusive: bool,
}

/// An attempt that has failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// RFC 3339.
    pub(crate) at: String,
    pub(crate) handler: String,
    pub(crate) queue: String,
    pub(crate) key: String,
    pub(crate) message_id: Option<String>,
    pub(crate) attempt: u32,
    /// What became of the message.
    pub(crate) outcome: String,
    pub(crate) error: String,
    pub(crate) error_type: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_meant_by_its_name_with_or_without_the_host_and_by_its_id() {
        let peer = Peer { id: "0190-a".to_owned(), name: "forge-7".to_owned(), host: "pod-1".to_owned() };
        for (word, is_meant) in [
            ("forge-7", true),
            ("forge-7@pod-1", true),
            ("0190-a", true),
            ("forge-7@pod-2", false),
            ("forge", false),
            ("", false),
        ] {
            assert_eq!(peer.is_meant_by(word), is_meant, "{word}");
        }
    }

    #[cfg(feature = "cli")]
    #[test]
    fn the_words_of_the_wire_are_those_of_the_command_line() {
        for ask in [Ask::Ping, Ask::Inflight, Ask::Quiet, Ask::Resume, Ask::Drain, Ask::Stats, Ask::Failures]
        {
            assert_eq!(Ask::named(ask.as_str()), Some(ask));
        }
        assert_eq!(Ask::named("explode"), None);
    }
}
