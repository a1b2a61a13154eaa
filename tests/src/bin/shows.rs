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

/// The same handler, which says so.
mod renamed {
    use bus_runtime::prelude::*;

    #[react("page.#", retry = "none", formerly = "shows::before::index")]
    async fn search() {}

    #[audit("ticket.*", queue = "tickets", ttl = "60s", retry = "none", name = "shows::before::ticket")]
    async fn ticket() {}
}

/// One of everything that `check` finds.
mod checked {
    use bus_runtime::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize, Message)]
    #[event("unheard")]
    struct Unheard {}

    #[derive(Serialize, Deserialize, Message)]
    #[task("undone")]
    struct Undone {
        texts: Vec<String>,
        at: At,
    }

    #[derive(Serialize, Deserialize)]
    struct At {
        line: Option<u32>,
    }

    #[react("ping", "nobody.publishes.this", group = "games")]
    async fn ping() {}

    #[react("pong", group = "games")]
    async fn pong() {}

    #[react("echo.#")]
    async fn echo() {}

    #[audit("slow", timeout = "30m")]
    async fn slow() {}

    bus_runtime::publishes! {
        ping => react: "pong";
        pong => react: "ping";
        echo => react: "echo.again";
        audit: "slow", "nobody.binds.this";
        terminal react: "nobody.needs.this";
    }
}

fn main() -> ExitCode {
    let stage = match std::env::var_os("STAGE") {
        Some(stage) if stage == "after" => "shows::after",
        Some(stage) if stage == "renamed" => "shows::renamed",
        Some(stage) if stage == "checked" => "shows::checked",
        _ => "shows::before",
    };
    HandlerRegistration::linked()
        .filter(|registration| registration.id().module == stage)
        .fold(bus_runtime::app().name("shows"), |app, registration| app.register(*registration))
        .run()
}
