//! What is wrong with an error type that says what its errors mean for a message.

texts! {
    missing(name) => "`{name}` does not say what it means for the message\n\n\
        help: #[retry] (another attempt), #[retry(after = \"5m\")] (another attempt, then), #[dead_letter] (trying again is no use), \
        #[discard] (nothing is lost) or #[pause(\"30s\")] (the whole handler rests)";
    misspelt(name, near) => "`{name}` does not say what it means for the message\n\n\
        help: did you mean #[{near}]?\n\
        note: it is one of #[retry], #[retry(after = \"5m\")], #[dead_letter], #[discard] and #[pause(\"30s\")]";
    two(name, first) => "`{name}` says already {first}\n\n\
        help: drop one of the two";
    on_enum(name, found) => "{found} goes on the variants of `{name}`, on each of them\n\n\
        help: a new variant has to be thought about, so there is nothing that holds for all";
    on_field(name, found) => "{found} goes on the variant `{name}`, not on its field";
    generic(name) => "the bus has to know the one type of an error, but `{name}` is generic\n\n\
        help: derive HandlerError for a type of its own: struct My{name}({name}<..>);";
    union(name) => "`{name}` is a union; an error is a struct or an enum";
    pause() => "#[pause(..)] takes how long the handler rests: a number and a unit (ms, s, m, h), in quotes\n\n\
        help: #[pause(\"30s\")]";
    no_arguments(spelling) => "#[{spelling}] takes no arguments";
    not_a_value(spelling) => "#[{spelling}] takes no value\n\n\
        help: #[{spelling}], or #[retry(after = \"5m\")]";
    after_has_a_name(found) => "expected an option: `name = value`\n\n\
        help: #[retry(after = {found})]";
    type_option(option) => "#[handler_error(..)] takes `crate` and no option `{option}`\n\n\
        help: what an error means stands on its variants: #[retry], #[dead_letter], #[discard]";
}
