//! An error type that is not one type.

use bus_runtime::HandlerError;

#[derive(Debug, HandlerError)]
enum MailError<E> {
    #[retry]
    Refused(E),
}

fn main() {}
