//! A type that is no error.

use bus_runtime::HandlerError;

#[derive(Debug, HandlerError)]
enum MailError {
    #[retry]
    Refused,
}

fn main() {}
