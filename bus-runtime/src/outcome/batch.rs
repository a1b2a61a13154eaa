//! What the handler of a batch decided: one outcome for all messages, or one for each.

use std::sync::Arc;

use super::{Cause, HandlerError, IntoHandlerError, IntoOutcome, Outcome};
use crate::error::BoxError;
use crate::message::{Event, Task};

/// What a handler with `batch(..)` decided about its messages.
#[derive(Debug)]
#[must_use = "outcomes do nothing unless the handler returns them"]
#[non_exhaustive]
pub enum Outcomes {
    /// The same for all.
    All(Outcome),
    /// One for each, in the order of the messages. With another number of them than there are messages, the whole batch has
    /// failed.
    Each(Vec<Outcome>),
}

impl Outcomes {
    /// Changes every outcome.
    pub(crate) fn map(self, change: impl FnMut(Outcome) -> Outcome) -> Self {
        let mut change = change;
        match self {
            Self::All(outcome) => Self::All(change(outcome)),
            Self::Each(outcomes) => Self::Each(outcomes.into_iter().map(change).collect()),
        }
    }

    /// The outcome of each of so many messages.
    pub(crate) fn of_each(self, messages: usize) -> Vec<Outcome> {
        match self {
            Self::Each(outcomes) if outcomes.len() == messages => outcomes,
            Self::Each(outcomes) => {
                let text =
                    format!("the handler returned {} outcomes for {messages} messages", outcomes.len());
                repeated(Outcome::Failed(HandlerError::new(text)), messages)
            }
            Self::All(outcome) => repeated(outcome, messages),
        }
    }
}

fn repeated(outcome: Outcome, times: usize) -> Vec<Outcome> {
    let one: &dyn Fn() -> Outcome = match &outcome {
        Outcome::Done(reply) => &|| Outcome::Done(reply.clone()),
        Outcome::Ack => &|| Outcome::Ack,
        Outcome::Retry(delay) => &|| Outcome::Retry(*delay),
        Outcome::Requeue => &|| Outcome::Requeue,
        Outcome::DeadLetter(reason, text) => &|| Outcome::DeadLetter(*reason, text.clone()),
        Outcome::Discard => &|| Outcome::Discard,
        Outcome::Failed(_) => {
            let Outcome::Failed(error) = outcome else { return Vec::new() };
            return match error.into_outcome() {
                Outcome::Failed(error) => error.shared(times).into_iter().map(Outcome::Failed).collect(),
                decided => repeated(decided, times),
            };
        }
    };
    (0..times).map(|_| one()).collect()
}

impl HandlerError {
    /// The same error for each of several messages.
    fn shared(self, times: usize) -> Vec<Self> {
        if times == 1 {
            return vec![self];
        }
        let Self { cause, type_name, disposition } = self;
        let cause: Box<dyn Fn() -> Cause> = match cause {
            Cause::Panic(text) => Box::new(move || Cause::Panic(text.clone())),
            Cause::Timeout(after) => Box::new(move || Cause::Timeout(after)),
            Cause::Decided(outcome) => {
                let text = format!("the handler decided {outcome:?}");
                Box::new(move || Cause::Error(text.clone().into()))
            }
            Cause::Error(error) => {
                let error: Arc<dyn std::error::Error + Send + Sync> = Arc::from(error);
                Box::new(move || Cause::Error(BoxError::from(Arc::clone(&error))))
            }
        };
        (0..times).map(|_| Self { cause: cause(), type_name, disposition }).collect()
    }
}

/// What an `audit`, `react`, event or task handler with `batch(..)` may return.
#[diagnostic::on_unimplemented(
    message = "a handler with `batch(..)` can't return `{Self}`",
    label = "this return value can't be turned into the outcomes of many messages",
    note = "return `()`, `Outcome`, `Result<(), E>` for all messages, or `Vec<Outcome>`, `Vec<Result<(), E>>`, `Result<Vec<Outcome>, E>` with one for each, where `E` is any error type"
)]
pub trait IntoOutcomes {
    /// The outcomes that the value stands for.
    fn into_outcomes(self) -> Outcomes;
}

impl IntoOutcomes for () {
    fn into_outcomes(self) -> Outcomes {
        Outcomes::All(().into_outcome())
    }
}

impl IntoOutcomes for Outcome {
    fn into_outcomes(self) -> Outcomes {
        Outcomes::All(self)
    }
}

impl IntoOutcomes for Outcomes {
    fn into_outcomes(self) -> Outcomes {
        self
    }
}

impl<T: IntoOutcome> IntoOutcomes for Vec<T> {
    fn into_outcomes(self) -> Outcomes {
        Outcomes::Each(self.into_iter().map(IntoOutcome::into_outcome).collect())
    }
}

impl<T: IntoOutcomes, E: IntoHandlerError> IntoOutcomes for Result<T, E> {
    fn into_outcomes(self) -> Outcomes {
        match self {
            Ok(value) => value.into_outcomes(),
            Err(error) => Outcomes::All(error.into_handler_error().into_outcome()),
        }
    }
}

/// What the handler with `batch(..)` of a message of kind `K` may return: [`IntoOutcomes`] for events and tasks, nothing for
/// commands.
#[diagnostic::on_unimplemented(
    message = "a handler with `batch(..)` can't return `{Self}` for this message",
    label = "this return value can't be turned into the outcomes of many messages",
    note = "for events and tasks return `()`, `Outcome`, `Result<(), E>` for all messages, or `Vec<Outcome>`, `Vec<Result<(), E>>`, `Result<Vec<Outcome>, E>` with one for each",
    note = "commands are handled one by one: each caller waits for a reply of its own"
)]
pub trait IntoOutcomesOf<K> {
    /// The outcomes that the value stands for.
    fn into_outcomes_of(self) -> Outcomes;
}

impl<T: IntoOutcomes> IntoOutcomesOf<Event> for T {
    fn into_outcomes_of(self) -> Outcomes {
        self.into_outcomes()
    }
}

impl<T: IntoOutcomes> IntoOutcomesOf<Task> for T {
    fn into_outcomes_of(self) -> Outcomes {
        self.into_outcomes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::outcome::{DeadLetterReason, ack, reject, requeue, retry, retry_later};

    fn shown(outcomes: Outcomes, messages: usize) -> Vec<String> {
        outcomes.of_each(messages).iter().map(|outcome| format!("{outcome:?}")).collect()
    }

    #[test]
    fn one_outcome_is_that_of_each() {
        let table = [
            ack as fn() -> Outcome,
            retry,
            || retry_later(Duration::from_secs(3)),
            requeue,
            || reject("no use"),
            || Outcome::DeadLetter(DeadLetterReason::Decode, "bad".to_owned()),
            || Outcome::Discard,
            || Outcome::Failed(HandlerError::timeout(Duration::from_secs(1))),
            || Outcome::Failed(HandlerError::panic("oh".to_owned())),
        ];
        for outcome in table {
            let wanted = format!("{:?}", outcome());
            assert_eq!(shown(Outcomes::All(outcome()), 3), [wanted.as_str(); 3]);
        }
    }

    #[test]
    fn an_error_keeps_what_it_is_for_each() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);

        for times in [1, 2] {
            let error = HandlerError::permanent(Outer(std::io::Error::other("inner")));
            let type_name = error.type_name();
            for outcome in Outcomes::All(Outcome::Failed(error)).of_each(times) {
                let Outcome::Failed(error) = outcome else { panic!("{outcome:?}") };
                assert_eq!(error.chain(), "outer: inner");
                assert_eq!(error.type_name(), type_name);
                assert!(error.disposition().is_some());
            }
        }
    }

    #[test]
    fn a_wrong_number_of_outcomes_is_a_failure_of_all() {
        for (given, messages) in [(0, 2), (1, 2), (3, 2)] {
            let outcomes = (0..given).map(|_| ack()).collect();
            let failed = Outcomes::Each(outcomes).of_each(messages);
            assert_eq!(failed.len(), messages);
            for outcome in failed {
                let Outcome::Failed(error) = outcome else { panic!("{outcome:?}") };
                assert_eq!(
                    error.to_string(),
                    format!("the handler returned {given} outcomes for {messages} messages")
                );
            }
        }
    }
}
