//! Why a routing key does not match a binding key, in words.

use super::{BindingKey, BindingWord};
use crate::names::Words;

/// Why a routing key does not match a binding key, from [`BindingKey::explain`].
///
/// Words are counted from 1, as people count.
///
/// ```
/// use bus_runtime::{binding_key::Mismatch, BindingKey};
///
/// let mismatch = BindingKey::parse("wiki.*.#")?.explain("wiki").unwrap_err();
/// assert_eq!(mismatch, Mismatch::TooShort { needed: 2, found: 1 });
/// assert_eq!(mismatch.to_string(), "the binding key needs at least 2 words, but the routing key has 1");
/// # Ok::<(), bus_runtime::BindingKeyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// A word that stands before any `#` is another one.
    #[error("word {position} must be {}", instead(.wanted, .found))]
    Word {
        /// Which word, counted from the first.
        position: usize,
        /// The word of the binding key.
        wanted: String,
        /// The word of the routing key.
        found: String,
    },
    /// A word that stands after the last `#` is another one.
    #[error("{} must be {}", from_end(*.position), instead(.wanted, .found))]
    WordFromEnd {
        /// Which word, counted backwards from the last.
        position: usize,
        /// The word of the binding key.
        wanted: String,
        /// The word of the routing key.
        found: String,
    },
    /// Without a `#`, the number of words must be the same.
    #[error("the binding key needs exactly {}, but the routing key has {found}", words(*.needed))]
    Count {
        /// How many words the binding key has.
        needed: usize,
        /// How many words the routing key has.
        found: usize,
    },
    /// Even if every `#` takes no word, the routing key has too few.
    #[error("the binding key needs at least {}, but the routing key has {found}", words(*.needed))]
    TooShort {
        /// How many words the binding key has that are no `#`.
        needed: usize,
        /// How many words the routing key has.
        found: usize,
    },
    /// Words that stand between two `#` do not occur where they could.
    #[error("{} must stand {}, but the routing key does not have it there", quoted(.run), place(*.after))]
    Run {
        /// The words of the binding key between the two `#`.
        run: String,
        /// How many words of the routing key were taken before.
        after: usize,
    },
}

/// Compares from both ends towards the middle, where the first `#` and the last one stand.
pub(super) fn explain(binding_key: &BindingKey, routing_key: &str) -> Result<(), Mismatch> {
    let pattern: Vec<_> = binding_key.words().collect();
    let key: Vec<_> = Words::of(routing_key).collect();
    // `a.b.#.c.#.d` is the head `a.b`, the run `c` and the tail `d`.
    let mut runs: Vec<_> = pattern.split(|word| *word == BindingWord::ZeroOrMore).collect();
    let head = runs.remove(0);
    let tail = runs.pop();
    let needed = pattern.iter().filter(|word| **word != BindingWord::ZeroOrMore).count();

    compare_head(head, &key)?;
    let Some(tail) = tail else {
        return if key.len() == needed { Ok(()) } else { Err(Mismatch::Count { needed, found: key.len() }) };
    };
    if key.len() < needed {
        return Err(Mismatch::TooShort { needed, found: key.len() });
    }
    compare_tail(tail, &key)?;
    find_runs(&runs, &key[..key.len() - tail.len()], head.len())
}

fn compare_head(head: &[BindingWord<'_>], key: &[&str]) -> Result<(), Mismatch> {
    let differs = head.iter().zip(key).zip(1..).find(|((wanted, found), _)| !wanted.accepts(found));
    match differs {
        Some(((wanted, found), position)) => {
            Err(Mismatch::Word { position, wanted: wanted.to_string(), found: (*found).into() })
        }
        None => Ok(()),
    }
}

fn compare_tail(tail: &[BindingWord<'_>], key: &[&str]) -> Result<(), Mismatch> {
    let differs =
        tail.iter().rev().zip(key.iter().rev()).zip(1..).find(|((wanted, found), _)| !wanted.accepts(found));
    match differs {
        Some(((wanted, found), position)) => {
            Err(Mismatch::WordFromEnd { position, wanted: wanted.to_string(), found: (*found).into() })
        }
        None => Ok(()),
    }
}

/// Takes every run at the first place where it fits, which leaves the most room for the next.
fn find_runs(runs: &[&[BindingWord<'_>]], key: &[&str], mut after: usize) -> Result<(), Mismatch> {
    for run in runs.iter().filter(|run| !run.is_empty()) {
        let fits = |words: &[&str]| run.iter().zip(words).all(|(wanted, found)| wanted.accepts(found));
        match key[after..].windows(run.len()).position(fits) {
            Some(skipped) => after += skipped + run.len(),
            None => {
                let run = run.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
                return Err(Mismatch::Run { run, after });
            }
        }
    }
    Ok(())
}

fn words(count: usize) -> String {
    if count == 1 { "1 word".into() } else { format!("{count} words") }
}

fn quoted(word: &str) -> String {
    if word.is_empty() { "an empty word".into() } else { format!("`{word}`") }
}

fn instead(wanted: &str, found: &str) -> String {
    let hint = if wanted.eq_ignore_ascii_case(found) { " (upper and lower case differ)" } else { "" };
    format!("{}, but the routing key has {}{hint}", quoted(wanted), quoted(found))
}

fn from_end(position: usize) -> String {
    match position {
        1 => "the last word".into(),
        2 => "the last word but one".into(),
        _ => format!("word {position} from the end"),
    }
}

fn place(words: usize) -> String {
    if words == 0 { "somewhere".into() } else { format!("after word {words}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, routing_key: &str, expected: &str) {
        let mismatch = BindingKey::parse(pattern).unwrap().explain(routing_key).unwrap_err();
        assert_eq!(mismatch.to_string(), expected, "`{pattern}` and `{routing_key}`: {mismatch:?}");
    }

    #[test]
    fn another_word() {
        check("wiki.edited", "wiki.saved", "word 2 must be `edited`, but the routing key has `saved`");
        check("wiki.*.a.#", "wiki.page.b", "word 3 must be `a`, but the routing key has `b`");
        check("a.b", "a.", "word 2 must be `b`, but the routing key has an empty word");
        check("a.", "a.b", "word 2 must be an empty word, but the routing key has `b`");
        check(
            "wiki.Page",
            "wiki.page",
            "word 2 must be `Page`, but the routing key has `page` (upper and lower case differ)",
        );
    }

    #[test]
    fn another_word_counted_from_the_end() {
        check("#.saved", "a.b.page", "the last word must be `saved`, but the routing key has `page`");
        check("#.x.saved", "a.b.saved", "the last word but one must be `x`, but the routing key has `b`");
        check("#.x.*.saved", "a.b.c.saved", "word 3 from the end must be `x`, but the routing key has `b`");
    }

    #[test]
    fn another_number_of_words() {
        check("user", "user.created", "the binding key needs exactly 1 word, but the routing key has 2");
        check("wiki.*", "wiki.a.b", "the binding key needs exactly 2 words, but the routing key has 3");
        check("wiki.*", "wiki", "the binding key needs exactly 2 words, but the routing key has 1");
        check("*", "", "the binding key needs exactly 1 word, but the routing key has 0");
        check("", "a", "the binding key needs exactly 0 words, but the routing key has 1");
        check("*.#.*", "a", "the binding key needs at least 2 words, but the routing key has 1");
    }

    #[test]
    fn words_between_two_hashes() {
        check("#.a.#", "b.c", "`a` must stand somewhere, but the routing key does not have it there");
        check(
            "a.#.x.*.#",
            "a.b.c",
            "`x.*` must stand after word 1, but the routing key does not have it there",
        );
        check(
            "#.a.#.a.#",
            "b.a.b",
            "`a` must stand after word 2, but the routing key does not have it there",
        );
        // The `b` is there, but the binding key needs it for its end.
        check(
            "a.#.b.#.b",
            "a.c.b",
            "`b` must stand after word 1, but the routing key does not have it there",
        );
    }
}
