//! The expansion `controller_mistakes` of `goldens.rs`.

impl Wiki {
    #[allow(clippy::unused_async)]
    async fn on_wiki(&mut self, page: &str) {
        page.show();
    }
    #[allow(clippy::unused_async)]
    async fn owned(self: Box<Self>, word: String) {
        half(typed)
    }
    const NUMBER: u8 = 3;
}
::core::compile_error! {
    "#[controller(..)] takes a name and no option `timeout`\n\nhelp: options stand in the attributes of the methods: #[react(\"wiki.#\", timeout = ..)]"
}
::core::compile_error! {
    "expected a name in quotes\n\nhelp: #[controller(\"Wiki\")], or leave it out, and it is the name of the type"
}
::core::compile_error! {
    "a handler can't take `&mut self`: one instance handles several messages at a time\n\nhelp: take `&self`, and keep what changes behind a lock or in an atomic"
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
    "which messages should this receive?\n\nhelp: give a binding key: #[react(\"wiki.#\")]\nnote: `*` matches exactly one word, `#` matches zero or more; #[react(\"#\")] receives everything"
}
::core::compile_error! {
    "a handler can't take `self: Box<Self>`: the instance is there for other messages too\n\nhelp: take `&self`, or `self: Arc<Self>` for a task that outlives the call"
}
::core::compile_error! {
    "#[react(..)] goes on a function, not on a constant"
}
