//! What is wrong with an option, or with two of them together.

/// What `ordered_by` takes.
pub(crate) const ORDER: &str = "a field of the body, a header or a captured word";

texts! {
    unknown(option, place, help, names) => "unknown option `{option}` in {place}\n\n\
        help: {help}\n\
        note: options are {names}";
    unknown_unlike(option, place, names) => "unknown option `{option}` in {place}\n\n\
        note: options are {names}";
    twice(option, place) => "`{option}` is set twice in {place}";
    said_twice(option, earlier, place) => "`{option}` and `{earlier}` set the same thing in {place}\n\n\
        help: keep one of the two";
    stacked_twice(option, place) => "`{option}` is set by two {place} of this handler, which share one queue\n\n\
        help: set it on one of the two";
    no_comma() => "expected a comma before this";
    not_an_argument() => "expected an option: `name = value`";
    no_value(option, example) => "`{option}` needs a value\n\n\
        help: {example}";
    colon(option) => "options are written with `=`\n\n\
        help: {option} = ..";
    list(option, example) => "`{option}` takes one value, not a list\n\n\
        help: {example}";
    no_list(option, example) => "`{option}` takes a list of settings\n\n\
        help: {example}";
    empty_list(option, example) => "`{option}(..)` is empty\n\n\
        help: {example}";
    crate_path() => "`crate` takes the path under which `bus_runtime` is found\n\n\
        help: crate = ::my_facade::bus_runtime";

    not_literal(option, wants) => "`{option}` takes {wants}, written out here\n\n\
        note: the attribute sees the text of the program, not the values of constants";
    wants(option, wants) => "`{option}` takes {wants}";
    wants_help(option, wants, help) => "`{option}` takes {wants}\n\n\
        help: {help}";
    out_of_range(option, found, wants) => "`{option} = {found}` is out of range\n\n\
        help: `{option}` takes {wants}";
    not_one_of(option, found, words) => "`{option} = \"{found}\"` is not known\n\n\
        help: `{option}` is one of {words}";
    not_one_of_like(option, found, near, words) => "`{option} = \"{found}\"` is not known\n\n\
        help: did you mean \"{near}\"?\n\
        note: `{option}` is one of {words}";
    not_duration(found, option) => "`{found}` is not a duration\n\n\
        help: use a number and a unit (ms, s, m, h): \"500ms\", \"30s\", \"5m\"   or plain seconds: {option} = 30";
    not_rate(found) => "`{found}` is not a rate\n\n\
        help: use a whole number and a unit (s, m, h): \"100/s\", \"30/m\"";
    duration_unquoted(found, option) => "`{found}` is not a number of seconds\n\n\
        help: put it in quotes: {option} = \"{found}\"";
    fractional(option, millis) => "`{option}` takes whole seconds or a duration string\n\n\
        help: {option} = \"{millis}ms\"";
    negative(option) => "`{option}` can't be negative";
    zero_timeout() => "timeout = 0 would cancel every message before the handler starts\n\n\
        help: write timeout = \"none\" for no limit, or give seconds: timeout = 30";
    zero_duration(option) => "`{option}` can't be zero";
    too_long(option, limit) => "`{option}` is longer than {limit}, the longest time that a queue of RabbitMQ can count";
    empty_text(option) => "`{option}` can't be empty";
    long_text(option, length) => "`{option}` is {length} bytes; at most 200 leave room for what Bus appends to it";
    control_text(option, character) => "`{option}` holds the control character {character}";
    reserved_queue(name) => "queue names that begin with `amq.` belong to the broker: `{name}`";
    not_a_path(option, found, example) => "`{option} = \"{found}\"` is not the path of a handler\n\n\
        help: give the path that it had, with its crate, as the command `handlers` shows it: {example}";
    path(option, signature) => "`{option}` takes the path of a function\n\n\
        help: {option} = my_function   where   fn my_function{signature}";

    not_an_order(found) => "`ordered_by = \"{found}\"` names nothing\n\n\
        help: a field of the JSON body: ordered_by = \"customer.id\"   a header: \"header:tenant\"   a captured word: \"{{page}}\"";
    order_not_captured(word, key) => "`ordered_by = \"{{{word}}}\"`, but the binding key `{key}` captures no word `{word}`\n\n\
        help: name the word in each binding key, or order by a field of the body";
    order_of_message(word) => "a message type has one routing key, so there is no word `{word}` to order by\n\n\
        help: order by a field of the message: ordered_by = \"{word}\"";
    ordered_alone() => "concurrency = 1 keeps the order of the whole queue, so `ordered_by` has nothing to do\n\n\
        help: leave out one of the two";
    batch_without_size(example) => "`batch` needs the number of messages that it holds at most\n\n\
        help: {example}";
    batch_wait() => "`wait` is longer than 10 minutes: whoever waits so long for messages does not want them in batches\n\n\
        help: wait = \"1s\"";
    batch_ordered() => "a batch is in the order of the queue, and with concurrency = 1, the default of `batch`, so are all batches\n\n\
        help: leave out one of the two; `ordered_by` is about messages that are handled one by one";
    batch_prefetch(prefetch, size) => "prefetch = {prefetch} never fills a batch of {size}\n\n\
        help: prefetch at least {size}, or leave it out for one batch more than run at once";
    batch_method() => "a method is called for each instance by itself, so it can't have `batch`\n\n\
        help: leave out `&self`, or handle one message at a time";
    batch_on_each() => "another attribute of this function has `batch`, and the arguments are the same for all\n\n\
        help: write the same batch(..) on each of them";
    on_receive(ack, other) => "`{ack}` and `{other}` contradict each other: a message that is acknowledged on receipt is gone before the handler can fail\n\n\
        help: drop `{ack}` (the default acknowledges after success)";
    manual(ack, handler) => "`{ack}` leaves it to `{handler}` to acknowledge its messages, and it never does\n\n\
        help: take the argument `settle: Settle` and write `settle.ack().await?`, or return an `Outcome` such as ack() or reject(..)";
    retry_without_retries() => "an error means `retry` here, and `retry` says that there are no retries\n\n\
        help: write on_error = \"dead_letter\", or allow retries";
    retries_of_nothing() => "there are no retries (`max = 0`), so their delays mean nothing\n\n\
        help: write retry = \"none\", or give `max` a number";
    needs_classic(option) => "a quorum queue can't have `{option}`\n\n\
        help: leave out queue_type = \"quorum\": the queue is then a classic one";
    fanout_queue() => "with fanout = \"each\" every worker has a queue of its own, so it can't be a named one\n\n\
        help: leave out `queue`";
    fanout_single() => "with fanout = \"each\" every worker has a queue of its own, so no worker is the single active one";
    fanout_shared() => "with fanout = \"each\" every worker has an exclusive queue\n\n\
        help: leave out `exclusive`";
    kind_without_exchange() => "`exchange_kind` says how an exchange of others routes, and no `exchange` is named\n\n\
        help: exchange = \"events\"";
    declare_nothing() => "declare = \"never\" is for what others declare, and the handler names neither a `queue` nor an `exchange` of theirs\n\n\
        help: queue = \"orders\" to consume their queue, or exchange = \"events\" to bind a queue of your own to their exchange";
    foreign_queue(option) => "with declare = \"never\" the queue belongs to others, who alone decide about `{option}`\n\n\
        help: leave out `{option}`";
    formerly_foreign() => "the queue belongs to others, so nothing is moved into it\n\n\
        help: leave out `formerly`";
    formerly_passing() => "a queue that goes with its worker leaves no messages behind, so there is nothing to move\n\n\
        help: leave out `formerly`";
    direct_wildcard(key) => "a direct exchange compares the whole routing key: `{key}` would only match the literal text\n\n\
        help: write the routing keys out, or say which exchange it is: exchange_kind = \"topic\"";
    fanout_key(key) => "a fanout exchange sends everything, whatever its key: `{key}` would be ignored\n\n\
        help: write \"#\", and choose among the messages with `when`";
    exclusive_single() => "an exclusive queue has one worker anyway, so none is chosen as the single active one\n\n\
        help: leave out one of `exclusive` and `single_active`";
    prefetch_below(prefetch, concurrency) => "prefetch = {prefetch} leaves {concurrency} concurrent calls idle: each needs a message of its own\n\n\
        help: prefetch at least {concurrency}, or leave it out for twice the concurrency";
    max_delay_below(max_delay, initial) => "`max_delay` ({max_delay}) is shorter than `initial` ({initial})";
    give_up_below(give_up_after, initial) => "`give_up_after` ({give_up_after}) is shorter than `initial` ({initial}), so there would be no retry\n\n\
        help: write retry = \"none\", or give up later";
    overflow_without_length() => "`overflow` says what a full queue does, but without `max_length` the queue is never full\n\n\
        help: max_length = 10_000";
}
