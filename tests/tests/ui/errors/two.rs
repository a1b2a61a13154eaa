//! Two attributes that contradict each other.

use bus_runtime::HandlerError;

#[derive(Debug, HandlerError)]
enum MailError {
    #[retry]
    #[discard]
    Refused,
}

fn main() {}
