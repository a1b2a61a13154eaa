//! A program whose handlers change from one release to the next: `STAGE=after` is the next one.

use std::process::ExitCode;

use bus_runtime::HandlerRegistration;

/// The handlers as they were.
mod before {
    use bus_runtime::prelude::*;

    #[react("page.#", retry = "none")]
    async fn index() {}

    #[audit("ticket.*", queue = "tickets", ttl = "60s", retry = "none")]
    async fn ticket() {}
}

/// One is renamed, the time to live of the other is changed.
mod after {
    use bus_runtime::prelude::*;

    #[react("page.#", retry = "none")]
    async fn search() {}

    #[audit("ticket.*", queue = "tickets", ttl = "90s", retry = "none")]
    async fn ticket() {}
}

fn main() -> ExitCode {
    let stage = match std::env::var_os("STAGE") {
        Some(stage) if stage == "after" => "shows::after",
        _ => "shows::before",
    };
    HandlerRegistration::linked()
        .filter(|registration| registration.id().module == stage)
        .fold(bus_runtime::app().name("shows"), |app, registration| app.register(*registration))
        .run()
}
