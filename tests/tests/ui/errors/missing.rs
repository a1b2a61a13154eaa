//! A variant that does not say what it means.

use bus_runtime::HandlerError;

#[derive(Debug, HandlerError)]
enum MailError {
    #[retry]
    Refused,
    Gone(String),
}

fn main() {}
