//! One message that a handler had, and what became of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::delivery::Metadata;
use crate::expression::{Field, Subject, Value};
use crate::outcome::{HandlerError, Outcome};
use crate::settle::Settlement;
use crate::topology::HandlerEntry;

/// What became of it, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Word {
    Handled,
    Retried,
    Requeued,
    DeadLetter,
    Discarded,
}

impl Word {
    pub(crate) fn of(settlement: &Settlement) -> Self {
        match settlement {
            Settlement::Ack => Self::Handled,
            Settlement::Retry { .. } => Self::Retried,
            Settlement::Requeue { .. } => Self::Requeued,
            Settlement::DeadLetter { .. } => Self::DeadLetter,
            Settlement::Discard => Self::Discarded,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Retried => "retried",
            Self::Requeued => "requeued",
            Self::DeadLetter => "dead letter",
            Self::Discarded => "discarded",
        }
    }
}

/// One message that a handler had, and what became of it.
#[derive(Clone)]
pub(crate) struct Passed {
    /// Counts what was kept in this process.
    pub(crate) number: u64,
    pub(crate) at: SystemTime,
    pub(crate) handler: Arc<HandlerEntry>,
    pub(crate) instance: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) word: Word,
    /// The text of the error with its sources, and its Rust type.
    pub(crate) error: Option<(String, String)>,
    /// Why it is a dead letter.
    pub(crate) reason: Option<&'static str>,
    /// When the next attempt is due.
    pub(crate) again_after: Option<Duration>,
    /// How long the call took; nothing when no handler was called.
    pub(crate) took: Option<Duration>,
}

impl Passed {
    /// The fields that a filter knows.
    pub(crate) const FIELDS: [Field; 11] = [
        Field::text("handler"),
        Field::text("queue"),
        Field::text("key"),
        Field::text("exchange"),
        Field::text("type"),
        Field::text("id"),
        Field::text("outcome"),
        Field::text("error"),
        Field::text("error_type"),
        Field::number("attempt"),
        Field::number("size"),
    ];

    /// What failed, if something did.
    pub(super) fn error_of(outcome: &Outcome, settlement: &Settlement) -> Option<(String, String)> {
        let told = |error: &HandlerError| (error.chain(), error.type_name().to_owned());
        match (outcome, settlement) {
            (Outcome::Failed(error), _) => Some(told(error)),
            (_, Settlement::DeadLetter { error, error_type, .. }) => {
                Some((error.clone(), (*error_type).to_owned()))
            }
            _ => None,
        }
    }

    /// Whether something went wrong.
    pub(crate) fn is_failure(&self) -> bool {
        self.error.is_some()
    }

    /// How much memory it holds, roughly.
    pub(super) fn size(&self) -> usize {
        self.metadata.envelope.body.len() + self.error.as_ref().map_or(0, |(text, _)| text.len()) + 512
    }
}

impl Subject for Passed {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        fn text(text: &str) -> Option<Value<'_>> {
            Some(Value::Text(text.into()))
        }
        match name {
            "handler" => text(&self.handler.name),
            "queue" => text(&self.handler.queue),
            "key" => text(self.metadata.routing_key()),
            "exchange" => text(self.metadata.exchange()),
            "type" => self.metadata.message_type().and_then(text),
            "id" => self.metadata.message_id().and_then(text),
            "outcome" => text(self.word.as_str()),
            "error" => self.error.as_ref().and_then(|(error, _)| text(error)),
            "error_type" => self.error.as_ref().and_then(|(_, error_type)| text(error_type)),
            "attempt" => Some(Value::Number(f64::from(self.metadata.attempt()))),
            #[expect(clippy::cast_precision_loss, reason = "a body is smaller than that")]
            "size" => Some(Value::Number(self.metadata.envelope.body.len() as f64)),
            _ => None,
        }
    }
}
