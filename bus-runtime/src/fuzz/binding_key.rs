//! Binding keys: the matcher, its explanations and the trie against the rules as one would write them down.

use std::collections::HashMap;

use crate::binding_key::BindingKey;
use crate::names::{NAME_BYTES_MAX, RoutingKey};
use crate::routing::KeyTrie;

/// So many binding keys are in one trie.
const KEYS_MAX: usize = 16;

/// A routing key, and on each further line a binding key.
pub(super) fn binding_key(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let key = lines.next().unwrap_or_default();
    assert_eq!(RoutingKey::new(key).is_ok(), key.len() <= NAME_BYTES_MAX, "{key:?}");
    if key.len() > NAME_BYTES_MAX {
        return;
    }
    let (mut trie, mut keys, mut wanted) = (KeyTrie::default(), Vec::new(), Vec::new());
    for (number, pattern) in lines.take(KEYS_MAX).enumerate() {
        let parsed = BindingKey::parse(pattern);
        assert_eq!(parsed.is_ok(), pattern.len() <= NAME_BYTES_MAX, "{pattern:?}");
        let Ok(parsed) = parsed else { continue };
        let matches = reference(pattern, key);
        compare(&parsed, pattern, key, matches);
        assert!(trie.insert(&parsed, number), "{number} is new");
        if matches {
            wanted.push(number);
        }
        keys.push((parsed, number));
    }
    let mut found = Vec::new();
    trie.for_each_match(key, &mut |number| found.push(*number));
    found.sort_unstable();
    assert_eq!(found, wanted, "{key:?}");
    for (parsed, number) in &keys {
        assert!(trie.remove(parsed, number), "{parsed:?} was there");
    }
    assert!(trie.is_empty());
}

fn compare(parsed: &BindingKey, pattern: &str, key: &str, matches: bool) {
    let words: Vec<_> = parsed.words().map(|word| word.to_string()).collect();
    assert_eq!(words.join("."), pattern);
    assert_eq!(parsed.matches(key), matches, "{pattern:?} ~ {key:?}");
    match parsed.explain(key) {
        Ok(()) => assert!(matches, "{pattern:?} ~ {key:?}"),
        Err(why) => assert!(!matches && !why.to_string().is_empty(), "{pattern:?} ~ {key:?}: {why}"),
    }
    if parsed.is_literal() {
        assert_eq!(matches, pattern == key, "{pattern:?} ~ {key:?}");
    }
}

fn words(text: &str) -> Vec<&str> {
    if text.is_empty() { Vec::new() } else { text.split('.').collect() }
}

/// The rules as one would write them down. What was found out is kept, or many `#` would take for ever.
fn reference(pattern: &str, key: &str) -> bool {
    type Known = HashMap<(usize, usize), bool>;
    fn from(pattern: &[&str], key: &[&str], known: &mut Known) -> bool {
        if let Some(found) = known.get(&(pattern.len(), key.len())) {
            return *found;
        }
        let found = match (pattern, key) {
            ([], key) => key.is_empty(),
            (["#", rest @ ..], []) => from(rest, key, known),
            (["#", rest @ ..], [_, later @ ..]) => from(rest, key, known) || from(pattern, later, known),
            (["*", rest @ ..], [_, key @ ..]) => from(rest, key, known),
            ([literal, rest @ ..], [word, key @ ..]) => literal == word && from(rest, key, known),
            (_, []) => false,
        };
        known.insert((pattern.len(), key.len()), found);
        found
    }
    from(&words(pattern), &words(key), &mut Known::new())
}
