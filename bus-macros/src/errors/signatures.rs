//! What is wrong with the item that an attribute stands on.

texts! {
    not_a_function(attribute, item) => "#[{attribute}(..)] goes on a function, not on {item}";
    no_body(attribute) => "#[{attribute}(..)] goes on a function with a body";
    method(attribute, method) => "#[{attribute}] on a method needs #[controller] on its impl block\n\n\
        help: write\n\
        \x20   #[controller]\n\
        \x20   impl MyController {{ #[{attribute}(..)] async fn {method}(&self, ..) {{ .. }} }}";
    mutable_receiver() => "a handler can't take `&mut self`: one instance handles several messages at a time\n\n\
        help: take `&self`, and keep what changes behind a lock or in an atomic";
    owned_receiver(found) => "a handler can't take `{found}`: the instance is there for other messages too\n\n\
        help: take `&self`, or `self: Arc<Self>` for a task that outlives the call";
    generic() => "a handler can't be generic: the bus has to know the one type to decode\n\n\
        help: write one handler per message type and call a shared generic function from each";
    lifetime(name) => "handler arguments are owned, so a handler has no lifetime `{name}`\n\n\
        help: leave out `{name}` and take owned types";
    borrowed(argument, owned) => "handler arguments are owned, not borrowed\n\n\
        help: take `{argument}: {owned}`";
    impl_trait(argument) => "`{argument}` has no one type that the bus could make from a message\n\n\
        help: name the type instead of `impl ..`";
    impl_future(handler) => "a handler that returns a future is an `async fn`\n\n\
        help: async fn {handler}(..) {{ .. }}";
    not_const() => "a handler can't be a `const fn`: it runs when a message arrives";
    not_unsafe() => "a handler can't be an `unsafe fn`: the bus calls it and can't promise anything\n\n\
        help: put an `unsafe` block into the function";
    not_extern() => "a handler can't be an `extern` function";
    not_variadic() => "a handler can't have a variable number of arguments";
}
