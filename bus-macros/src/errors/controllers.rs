//! What is wrong with the impl block under `#[controller]`, or with its name.

texts! {
    not_an_impl(item) => "#[controller] goes on an impl block, not on {item}\n\n\
        help: #[controller]\n\
        \x20     impl MyController {{ #[react(\"wiki.#\")] async fn on_wiki(&self, ..) {{ .. }} }}";
    no_body() => "#[controller] goes on an impl block with a body";
    trait_impl() => "#[controller] goes on an impl block of the type itself, not on that of a trait\n\n\
        help: put the handlers into an impl block of their own; they can call the methods of the trait";
    generic() => "a controller can't be generic: its handlers are registered once, for one type\n\n\
        help: give the type a name, `type MarkdownWiki = Wiki<Markdown>;`, and write `impl MarkdownWiki`";
    type_arguments(name) => "the names of a controller's queues contain the name of its type, and `{name}<..>` may be several\n\n\
        help: give the type a name, `type My{name} = {name}<..>;`, and write `impl My{name}`";
    no_name() => "a controller is a type with a name, which the names of its queues contain";
    no_handlers() => "no method of this impl block is a handler\n\n\
        help: put #[audit(..)], #[react(..)] or #[message_handler(..)] on those that handle messages\n\
        note: a method that a macro inside of the block writes can't be seen";

    one_name() => "a controller has one name, which is the group of its handlers";
    empty_name() => "the name of a controller can't be empty\n\n\
        help: leave it out, and it is the name of the type";
    name_not_text(found) => "expected a name in quotes\n\n\
        help: #[controller(\"{found}\")], or leave it out, and it is the name of the type";
    option(option) => "#[controller(..)] takes a name and no option `{option}`\n\n\
        help: options stand in the attributes of the methods: #[react(\"wiki.#\", {option} = ..)]";
}
