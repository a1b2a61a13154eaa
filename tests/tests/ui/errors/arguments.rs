//! Arguments where there are none.

use bus_runtime::HandlerError;

#[derive(Debug, HandlerError)]
#[handler_error(retry)]
enum MailError {
    #[dead_letter("mail")]
    Gone,
    #[discard = true]
    Sent,
}

fn main() {}
