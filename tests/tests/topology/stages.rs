//! The same app at different times, and another one.

/// As it was.
pub(crate) mod before {
    use bus_runtime::prelude::*;

    #[react("page.#", retry = "none")]
    async fn index() {}

    #[audit("ticket.*", queue = "tickets", ttl = "60s", retry = "none")]
    async fn ticket() {}

    pub(crate) const MODULE: &str = module_path!();
}

/// One handler renamed, the time to live of the other changed.
pub(crate) mod after {
    use bus_runtime::prelude::*;

    #[react("page.#", retry = "none")]
    async fn search() {}

    #[audit("ticket.*", queue = "tickets", ttl = "90s", retry = "none")]
    async fn ticket() {}

    pub(crate) const MODULE: &str = module_path!();
}

/// Shares a queue with the app as it was.
pub(crate) mod other {
    use bus_runtime::prelude::*;

    #[audit("ticket.*", queue = "tickets", ttl = "60s", retry = "none")]
    async fn ticket() {}

    pub(crate) const MODULE: &str = module_path!();
}

/// As it was, but one handler receives less.
pub(crate) mod narrowed {
    use bus_runtime::prelude::*;

    #[audit("ticket.new", queue = "tickets", ttl = "60s", retry = "none")]
    async fn ticket() {}

    pub(crate) const MODULE: &str = module_path!();
}
