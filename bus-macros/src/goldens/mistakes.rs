//! The expansion `mistakes` of `goldens.rs`.

#[audit("wiki.#", "wiki.#")]
async fn on_wiki(&self, page: &str) {
    page.show();
}
::core::compile_error! {
    "#[react] on a method needs #[controller] on its impl block\n\nhelp: write\n    #[controller]\n    impl MyController { #[react(..)] async fn on_wiki(&self, ..) { .. } }"
}
::core::compile_error! {
    "handler arguments are owned, not borrowed\n\nhelp: take `page: String`"
}
::core::compile_error! {
    "a wildcard must be a whole word: `page*` would only match the literal text `page*`\n\n    wiki.page*\n         ^^^^^\n\nhelp: `*` matches exactly one word, `#` matches zero or more words: \"wiki.*\""
}
::core::compile_error! {
    "unknown option `timout` in #[react(..)]\n\nhelp: did you mean `timeout`?\nnote: options are timeout, retry, on_error, error_hook, ack, concurrency, prefetch, queue, name, group, priority, when, ordered_by, batch, breaker, rate_limit, queue_type, max_length, overflow, ttl, max_priority, single_active, exclusive, fanout, exchange, exchange_kind, declare, formerly, crate"
}
::core::compile_error! {
    "timeout = 0 would cancel every message before the handler starts\n\nhelp: write timeout = \"none\" for no limit, or give seconds: timeout = 30"
}
