//! A misspelt option, and one of another framework.

use bus_runtime::HandlerError;

#[derive(Debug, HandlerError)]
enum MailError {
    #[retry(aftr = "5m")]
    Refused,
    #[retry(countdown = 5)]
    Throttled,
    #[retry("5m")]
    Busy,
    #[retry(after = "soon")]
    Later,
    #[pause]
    Away,
    #[pause(30)]
    Gone,
}

fn main() {}
