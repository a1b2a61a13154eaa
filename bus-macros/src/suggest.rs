//! What an unknown word was meant to be: a misspelling, or the word of another framework.

/// Names of other frameworks (Celery, FastStream, Spring, Jararaca and our own drafts), and what to write here.
const FOREIGN: &[(&str, &str)] = &[
    ("ack_mode", "here that is ack = \"on_success\", \"on_receive\" or \"manual\""),
    ("ack_policy", "here that is ack = \"on_success\", \"on_receive\" or \"manual\""),
    ("acknowledge_mode", "here that is ack = \"on_success\", \"on_receive\" or \"manual\""),
    ("acks_late", "here that is the default, ack = \"on_success\""),
    (
        "auto_delete",
        "queues stay; for one that goes with its worker write exclusive = true or fanout = \"each\"",
    ),
    ("autoretry_for", "every error is tried again; `HandlerError::permanent(..)` is one that is not"),
    ("backoff", "here that is retry(initial = \"1s\", factor = 2.0)"),
    ("bind", "take what is needed as an argument: `Attempt`, `Headers`, `Context` .."),
    ("binding_key", "the binding key is the first argument and has no name"),
    ("bindings", "the binding keys are the first arguments and have no name"),
    ("concurrent_consumers", "here that is concurrency = .."),
    (
        "dead_letter",
        "every queue has its dead letters; for errors to go there at once write on_error = \"dead_letter\"",
    ),
    (
        "dead_letter_exchange",
        "every queue has its dead letters; for errors to go there at once write on_error = \"dead_letter\"",
    ),
    ("decoder", "implement `FromDelivery` for the type of the argument"),
    ("default_requeue_rejected", "here that is on_error = \"requeue\""),
    ("default_retry_delay", "here that is retry(initial = \"1s\")"),
    ("delay", "here that is retry(initial = \"1s\")"),
    (
        "dlq",
        "every queue has its dead letters; for errors to go there at once write on_error = \"dead_letter\"",
    ),
    ("durable", "queues are durable; for one that goes with its worker write exclusive = true"),
    ("error_handler", "here that is error_hook = .."),
    ("filter", "here that is when = .."),
    ("ignore_result", "leave it out: what a handler returns is never stored"),
    ("key", "the binding key is the first argument and has no name"),
    ("max_attempts", "here that is retry(max = ..), which does not count the first attempt"),
    ("max_retries", "here that is retry(max = ..)"),
    ("max_workers", "here that is concurrency = .."),
    ("multiplier", "here that is retry(factor = ..)"),
    ("no_ack", "here that is ack = \"on_receive\""),
    ("on_exception", "here that is on_error = .."),
    ("parallelism", "here that is concurrency = .."),
    ("pattern", "the binding key is the first argument and has no name"),
    ("prefetch_count", "here that is prefetch = .."),
    ("qos", "here that is prefetch = .."),
    ("queues", "here that is queue = \"..\", and one queue has all bindings"),
    ("reject_on_worker_lost", "leave it out: a message that a lost worker had always comes back"),
    ("requeue", "here that is on_error = \"requeue\""),
    ("requeue_on_error", "here that is on_error = \"requeue\""),
    ("retries", "here that is retry(max = ..)"),
    ("retry_backoff", "here that is retry(factor = 2.0)"),
    ("retry_backoff_max", "here that is retry(max_delay = \"60s\")"),
    ("retry_delay", "here that is retry(initial = \"1s\")"),
    ("retry_jitter", "here that is retry(jitter = 0.25)"),
    ("routing_key", "the binding key is the first argument and has no name"),
    ("serializer", "the codec is chosen by the content type of the message"),
    ("single_active_consumer", "here that is single_active = true"),
    ("soft_time_limit", "here that is timeout = 30"),
    ("subject", "the binding key is the first argument and has no name"),
    ("time_limit", "here that is timeout = 30"),
    ("topic", "the binding key or the message type is the first argument and has no name"),
    ("workers", "here that is concurrency = .."),
];

/// The farthest that a misspelling may be from the word that was meant.
const DISTANCE_MAX: usize = 3;

/// What to write here for the name that another framework gives it.
pub(crate) fn foreign(name: &str) -> Option<&'static str> {
    FOREIGN.iter().find(|(foreign, _)| *foreign == name).map(|(_, help)| *help)
}

/// The known word that is most like this one, if one is like it at all.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, DISTANCE_MAX);
    let distances = known.into_iter().map(|known| (distance(word, known), known));
    distances
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// The number of letters to add, to drop or to change (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in to.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (from, to, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("timout", "timeout", 1),
            ("ab", "ba", 2),
        ] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
            assert_eq!(distance(to, from), expected, "{to} {from}");
        }
    }

    #[test]
    fn a_short_word_is_like_few_others() {
        let known = ["timeout", "ttl", "ack", "when", "queue"];
        assert_eq!(nearest("timout", known), Some("timeout"));
        assert_eq!(nearest("tl", known), Some("ttl"));
        assert_eq!(nearest("abc", known), None);
        assert_eq!(nearest("x", known), None);
    }

    #[test]
    fn foreign_names_are_sorted() {
        assert!(FOREIGN.is_sorted_by_key(|(name, _)| *name));
    }
}
