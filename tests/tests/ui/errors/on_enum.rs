//! One attribute for all variants.

use bus_runtime::HandlerError;

#[derive(Debug, HandlerError)]
#[retry]
enum MailError {
    #[retry]
    Refused,
}

fn main() {}
