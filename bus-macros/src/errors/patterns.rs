//! What is wrong with a binding key or a topic.

texts! {
    missing(attribute) => "which messages should this receive?\n\n\
        help: give a binding key: #[{attribute}(\"wiki.#\")]\n\
        note: `*` matches exactly one word, `#` matches zero or more; #[{attribute}(\"#\")] receives everything";
    empty(attribute) => "an empty binding key matches messages without a routing key only\n\n\
        help: give a binding key: #[{attribute}(\"wiki.#\")]\n\
        note: `*` matches exactly one word, `#` matches zero or more";
    wildcard_in_word(word, picture, suggestion) => "a wildcard must be a whole word: `{word}` would only match the literal text `{word}`\n\n\
        {picture}\n\n\
        help: `*` matches exactly one word, `#` matches zero or more words: \"{suggestion}\"";
    empty_word(what, key, position, picture, suggestion) => "empty word in {what} `{key}`, at position {position}\n\n\
        {picture}\n\n\
        help: did you mean \"{suggestion}\"?";
    slash(what, suggestion) => "`/` does not separate the words of {what}\n\n\
        help: use dots: \"{suggestion}\"";
    foreign_wildcard(sign, system, ours, suggestion) => "`{sign}` is {system} wildcard; in AMQP it is `{ours}`\n\n\
        help: \"{suggestion}\"";
    too_long(what, length) => "{what} is {length} bytes; AMQP allows at most 255";
    control(what, character, position) => "{what} holds the control character {character} at position {position}\n\n\
        help: a word is text without dots and control characters";
    listed_twice(key) => "the binding key \"{key}\" is listed twice\n\n\
        help: drop one of the two";
    stacked_twice(key, attribute) => "another #[{attribute}(..)] of this handler already has the binding key \"{key}\"\n\n\
        help: drop one of the two; stacked attributes of one kind share one queue";
    not_text(attribute, found) => "expected a binding key in quotes\n\n\
        help: #[{attribute}(\"{found}\")], or to handle a message type: #[message_handler({found})]";
    constant(name) => "`{name}` is not a binding key in quotes\n\n\
        help: write the binding key out here\n\
        note: the attribute sees the text of the program, not the values of constants";
    capture_not_a_word(word, picture) => "a capture must be a whole word: `{word}` is not\n\n\
        {picture}\n\n\
        help: write `{{name}}` between two dots, as in \"wiki.{{page}}.edited\"";
    capture_name(word, picture) => "`{word}` does not name an argument\n\n\
        {picture}\n\n\
        help: a capture is the name of an argument in braces, as in \"wiki.{{page}}.edited\"";
    capture_twice(name, key) => "`{{{name}}}` is captured twice in \"{key}\"\n\n\
        help: give each captured word its own name, or write `*` for a word that is not needed";
    capture_after_hash(name, key) => "`{{{name}}}` stands after a `#` in \"{key}\", so it is not clear which word it is\n\n\
        help: capture words before the first `#` only";
    capture_without_argument(name, handler) => "`{handler}` has no argument named `{name}`, but the binding key captures `{{{name}}}`\n\n\
        help: add the argument `{name}: String` (or any type that parses from text), or write `*` for a word that is not needed";
    capture_not_everywhere(name, key) => "the binding key \"{key}\" does not capture `{{{name}}}`, which another key of this attribute does\n\n\
        help: capture `{{{name}}}` in every key, or write a second handler: the argument `{name}` needs a word from each message";
    capture_not_in_sibling(name, attribute) => "#[{attribute}(..)] does not capture `{{{name}}}`, which another attribute of this handler does\n\n\
        help: capture `{{{name}}}` here too, or write a second handler: the argument `{name}` needs a word from each message";
    topic_wildcard(word, receiver) => "a topic is the exact routing key of a message, so it can't contain the wildcard `{word}`\n\n\
        help: wildcards belong on the receiving side: #[react(\"{receiver}\")]";
    topic_capture(word) => "a topic is the exact routing key of a message, so it can't capture `{word}`\n\n\
        help: captures belong on the receiving side: #[react(\"..\")]";
    everything(attribute) => "makes this handler receive every message on `{attribute}`. \
        If that is intended, add #[allow(deprecated)] to the handler, or narrow the binding key.";
    many_hashes(key) => "\"{key}\" has more than two `#`: RabbitMQ from 4.3 on refuses such a binding key, and before that needs exponential time to match it. \
        If that is intended, add #[allow(deprecated)] to the handler.";
}
