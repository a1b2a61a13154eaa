//! What is wrong with a message type, or with the attribute of its handler.

texts! {
    type_missing() => "which message type should this handle?\n\n\
        help: #[message_handler(UserCreated)], for a type with #[derive(Message)]";
    type_is_text(key) => "#[message_handler(..)] takes a message type, not a binding key\n\n\
        help: to handle a binding key use #[react(\"{key}\")], or #[audit(\"{key}\")]";
    one_type(found) => "#[message_handler(..)] takes one message type\n\n\
        help: stack the attributes to handle two: #[message_handler({found})] on a line of its own";
    stacked_twice(found) => "another #[message_handler(..)] of this handler already takes `{found}`\n\n\
        help: drop one of the two";

    no_kind(name, topic) => "`{name}` needs a topic\n\n\
        help: #[event(\"{topic}\")] (any number of handlers), #[task(\"{topic}\")] (exactly one) \
        or #[command(\"{topic}\", reply = ..)] (exactly one, which answers)";
    no_topic(name, attribute, topic) => "`{name}` needs a topic\n\n\
        help: #[{attribute}(\"{topic}\")]";
    two_kinds(name, first) => "`{name}` is already {first}\n\n\
        help: a message has one kind and one topic: drop one of the two attributes";
    two_topics() => "a message has one topic";
    topic_not_text(attribute, topic) => "expected a topic in quotes\n\n\
        help: #[{attribute}(\"{topic}\")]";
    kind_option(attribute) => "the kind is the attribute itself: #[{attribute}(..)]\n\n\
        help: leave out `kind`; the kinds are #[event(..)], #[task(..)] and #[command(..)]";
    reply_elsewhere(attribute) => "only a command has a reply\n\n\
        help: write #[command(..)] instead of #[{attribute}(..)], or leave out `reply`";
    terminal_elsewhere(attribute) => "only an event can be terminal: {attribute} needs its one handler";
    borrows(name, lifetime) => "a message must own its data, but `{name}` borrows for `{lifetime}`\n\n\
        help: use String instead of &str";
    generic(name) => "a message is one type on the wire, but `{name}` is generic\n\n\
        help: derive Message for a type of its own: struct Of{name}({name}<..>);";
    union(name) => "`{name}` is a union; a message is a struct or an enum";
}
