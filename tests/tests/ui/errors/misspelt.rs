//! An attribute that is close to one of ours.

use bus_runtime::HandlerError;

#[derive(Debug, HandlerError)]
enum MailError {
    #[dead_leter]
    Gone,
}

fn main() {}
