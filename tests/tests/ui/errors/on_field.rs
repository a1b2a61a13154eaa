//! An attribute on the field of a variant.

use bus_runtime::HandlerError;

#[derive(Debug, HandlerError)]
enum MailError {
    #[retry]
    Refused(#[discard] String),
}

fn main() {}
