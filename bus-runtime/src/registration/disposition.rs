//! What error types say about a message: one constant for each `#[derive(HandlerError)]`, found by the type of the error.

use std::error::Error;
use std::fmt;

use crate::outcome::{Disposition, Outcome};

/// What `#[derive(HandlerError)]` leaves in the binary.
#[derive(Clone, Copy)]
pub struct ErrorRegistration {
    judge: Judge,
}

/// `None` for an error of another type.
type Judge = fn(&(dyn Error + 'static)) -> Option<Disposition>;

impl ErrorRegistration {
    /// An error type, which knows its own.
    pub const fn new(judge: Judge) -> Self {
        Self { judge }
    }
}

impl fmt::Debug for ErrorRegistration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ErrorRegistration")
    }
}

/// The outcome with what its error's type says about the message, unless the error itself says something.
pub(crate) fn judged(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Failed(error) if error.disposition().is_none() => {
            let said = error.error().and_then(|error| disposition_of(error));
            Outcome::Failed(error.with_disposition(said))
        }
        outcome => outcome,
    }
}

/// What the first error says that says something: the error, its source, the source of that, and so on.
fn disposition_of(error: &(dyn Error + 'static)) -> Option<Disposition> {
    let mut next = Some(error);
    for _ in 0..SOURCES_MAX {
        let error = next?;
        let mut types = inventory::iter::<ErrorRegistration>.into_iter();
        if let Some(disposition) = types.find_map(|registered| (registered.judge)(error)) {
            return Some(disposition);
        }
        next = error.source();
    }
    None
}

/// How many errors of a chain are asked: one that leads back to itself would have no end.
const SOURCES_MAX: usize = 64;

inventory::collect!(ErrorRegistration);
