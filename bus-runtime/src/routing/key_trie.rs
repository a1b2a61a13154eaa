//! Many binding keys in one tree, so that one walk finds all that match a routing key.

use std::collections::{HashMap, HashSet};

use crate::{
    binding_key::{BindingKey, BindingWord, BindingWords},
    names::Words,
};

/// A set of (binding key, value) pairs that answers which values a routing key reaches.
///
/// The keys are kept as a tree with one level per word, so binding keys that begin alike share their
/// beginning and the many that cannot match are never looked at.
///
/// # Complexity
///
/// For a routing key of *w* words:
///
/// - Without `#`, a lookup follows the word itself and `*` where there are such branches, and visits no node
///   twice. How many binding keys there are that begin otherwise does not matter.
/// - With `#`, every node of the tree is visited at most once for each of the *w* + 1 places in the routing
///   key, whatever the binding keys: the worst case is (nodes) x (*w* + 1), never exponential.
/// - A lookup allocates only if it comes to the second `#` of a binding key: then it remembers where it has
///   been.
/// - `insert` and `remove` take one step per word, and look through the values of that same binding key.
///
/// ```
/// use bus_runtime::{routing::KeyTrie, BindingKey};
///
/// let mut trie = KeyTrie::default();
/// trie.insert(&BindingKey::parse("wiki.#")?, "index");
/// trie.insert(&BindingKey::parse("wiki.*.saved")?, "mail");
/// trie.insert(&BindingKey::parse("tracker.#")?, "tracker");
///
/// let mut reached = Vec::new();
/// trie.for_each_match("wiki.page.saved", &mut |value| reached.push(*value));
/// reached.sort_unstable();
/// assert_eq!(reached, ["index", "mail"]);
/// # Ok::<(), bus_runtime::BindingKeyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeyTrie<T> {
    root: Node<T>,
    len: usize,
}

/// The place that a beginning of a binding key leads to.
#[derive(Clone, Debug)]
struct Node<T> {
    literals: HashMap<Box<str>, Node<T>>,
    /// Where `*` leads.
    one: Option<Box<Node<T>>>,
    /// Where `#` leads.
    hash: Option<Box<Node<T>>>,
    /// The values of the binding key that ends here.
    values: Vec<T>,
}

impl<T> KeyTrie<T> {
    /// How many (binding key, value) pairs there are.
    ///
    /// ```
    /// assert_eq!(bus_runtime::routing::KeyTrie::<u32>::default().len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no pair.
    ///
    /// ```
    /// assert!(bus_runtime::routing::KeyTrie::<u32>::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Calls `visit` with the value of every pair whose binding key matches, in no particular order.
    ///
    /// Each pair is visited at most once, even if `#` can match in several ways. A value that was inserted
    /// under two binding keys which both match is visited twice.
    ///
    /// ```
    /// use bus_runtime::{routing::KeyTrie, BindingKey};
    ///
    /// let mut trie = KeyTrie::default();
    /// trie.insert(&BindingKey::parse("#.a.#")?, 1);
    ///
    /// let mut visits = 0;
    /// trie.for_each_match("a.a.a", &mut |_| visits += 1);
    /// assert_eq!(visits, 1);
    /// # Ok::<(), bus_runtime::BindingKeyError>(())
    /// ```
    pub fn for_each_match(&self, routing_key: &str, visit: &mut impl FnMut(&T)) {
        Walk::new(visit).node(&self.root, Words::of(routing_key), Above::NoHash);
    }
}

impl<T: PartialEq> KeyTrie<T> {
    /// Adds a pair, and says whether it is new.
    ///
    /// ```
    /// use bus_runtime::{routing::KeyTrie, BindingKey};
    ///
    /// let mut trie = KeyTrie::default();
    /// assert!(trie.insert(&BindingKey::parse("wiki.#")?, "index"));
    /// assert!(!trie.insert(&BindingKey::parse("wiki.#")?, "index"));
    /// assert!(trie.insert(&BindingKey::parse("wiki.#")?, "mail"));
    /// assert_eq!(trie.len(), 2);
    /// # Ok::<(), bus_runtime::BindingKeyError>(())
    /// ```
    pub fn insert(&mut self, binding_key: &BindingKey, value: T) -> bool {
        let node = binding_key.words().fold(&mut self.root, Node::child_or_new);
        if node.values.contains(&value) {
            return false;
        }
        node.values.push(value);
        self.len += 1;
        true
    }

    /// Removes a pair, and says whether it was there.
    ///
    /// ```
    /// use bus_runtime::{routing::KeyTrie, BindingKey};
    ///
    /// let key = BindingKey::parse("wiki.#")?;
    /// let mut trie = KeyTrie::default();
    /// trie.insert(&key, "index");
    /// assert!(trie.remove(&key, &"index"));
    /// assert!(!trie.remove(&key, &"index"));
    /// assert!(trie.is_empty());
    /// # Ok::<(), bus_runtime::BindingKeyError>(())
    /// ```
    pub fn remove(&mut self, binding_key: &BindingKey, value: &T) -> bool {
        let removed = self.root.remove(binding_key.words(), value);
        if removed {
            self.len -= 1;
        }
        removed
    }
}

// Not derived: that would ask for `T: Default`.
impl<T> Default for KeyTrie<T> {
    fn default() -> Self {
        Self { root: Node::default(), len: 0 }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { literals: HashMap::new(), one: None, hash: None, values: Vec::new() }
    }
}

impl<T> Node<T> {
    fn child_or_new(&mut self, word: BindingWord<'_>) -> &mut Self {
        match word {
            BindingWord::Literal(literal) => self.literals.entry(literal.into()).or_default(),
            BindingWord::ExactlyOne => self.one.get_or_insert_default(),
            BindingWord::ZeroOrMore => self.hash.get_or_insert_default(),
        }
    }

    fn has_children(&self) -> bool {
        !self.literals.is_empty() || self.one.is_some() || self.hash.is_some()
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty() && !self.has_children()
    }
}

impl<T: PartialEq> Node<T> {
    /// Removes the value under the rest of a binding key, and every node below that holds nothing any more.
    fn remove(&mut self, mut words: BindingWords<'_>, value: &T) -> bool {
        match words.next() {
            None => match self.values.iter().position(|candidate| candidate == value) {
                Some(index) => {
                    self.values.remove(index);
                    true
                }
                None => false,
            },
            Some(BindingWord::Literal(literal)) => {
                let Some(child) = self.literals.get_mut(literal) else { return false };
                let removed = child.remove(words, value);
                if child.is_empty() {
                    self.literals.remove(literal);
                }
                removed
            }
            Some(BindingWord::ExactlyOne) => remove_below(&mut self.one, words, value),
            Some(BindingWord::ZeroOrMore) => remove_below(&mut self.hash, words, value),
        }
    }
}

fn remove_below<T: PartialEq>(slot: &mut Option<Box<Node<T>>>, words: BindingWords<'_>, value: &T) -> bool {
    let Some(child) = slot else { return false };
    let removed = child.remove(words, value);
    if child.is_empty() {
        *slot = None;
    }
    removed
}

/// Whether the way from the root to a node leads through a `#`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Above {
    NoHash,
    Hash,
}

/// One lookup.
///
/// # Why nothing is visited twice
///
/// A `#` tries its continuation at the place where it was entered and at every later place of the routing
/// key, in this order. Below a first `#`, a second one is therefore reached again and again, each time
/// further to the right. But it has tried all places to the right the first time. So a `#` below a `#` needs
/// to be entered only once, and every other entry can be skipped; by the same argument this holds for a third
/// below the second, and so on. Between two `#` the way down takes one word per level, so a node is met once
/// per place where the `#` above it starts.
struct Walk<'v, T, F> {
    visit: &'v mut F,
    /// Where the second and later `#` led to, as far as they were entered. Most walks meet none and do not
    /// allocate.
    entered: HashSet<*const Node<T>>,
    #[cfg(test)]
    steps: usize,
}

impl<'v, T, F: FnMut(&T)> Walk<'v, T, F> {
    fn new(visit: &'v mut F) -> Self {
        Self {
            visit,
            entered: HashSet::new(),
            #[cfg(test)]
            steps: 0,
        }
    }

    /// Visits what matches when `rest` is the part of the routing key that is left at `node`.
    fn node(&mut self, node: &Node<T>, rest: Words<'_>, above: Above) {
        if rest.is_empty() {
            node.values.iter().for_each(&mut *self.visit);
        }
        self.children(node, rest, above);
    }

    fn children(&mut self, node: &Node<T>, mut rest: Words<'_>, above: Above) {
        #[cfg(test)]
        {
            self.steps += 1;
        }
        if let Some(hash) = &node.hash {
            self.hash(hash, rest.clone(), above);
        }
        let Some(word) = rest.next() else { return };
        if let Some(child) = node.literals.get(word) {
            self.node(child, rest.clone(), above);
        }
        if let Some(child) = &node.one {
            self.node(child, rest, above);
        }
    }

    /// The same for the node that a `#` leads to: lets this `#` take no word, one word, and so on up to all.
    fn hash(&mut self, node: &Node<T>, mut rest: Words<'_>, above: Above) {
        if above == Above::Hash && !self.entered.insert(node) {
            return;
        }
        node.values.iter().for_each(&mut *self.visit);
        if !node.has_children() {
            return;
        }
        self.children(node, rest.clone(), Above::Hash);
        while rest.next().is_some() {
            self.children(node, rest.clone(), Above::Hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::binding_key::tests::{any_text, reference, texts_of};

    fn key(text: &str) -> BindingKey {
        BindingKey::parse(text).unwrap()
    }

    /// A trie of these binding keys, each with its index as the value.
    fn trie_of(patterns: &[impl AsRef<str>]) -> KeyTrie<usize> {
        let mut trie = KeyTrie::default();
        for (index, pattern) in patterns.iter().enumerate() {
            assert!(trie.insert(&key(pattern.as_ref()), index));
        }
        trie
    }

    fn reached<T: Clone + Ord>(trie: &KeyTrie<T>, routing_key: &str) -> Vec<T> {
        let mut values = Vec::new();
        trie.for_each_match(routing_key, &mut |value: &T| values.push(value.clone()));
        values.sort();
        values
    }

    /// How many places of the tree a lookup looks at.
    fn steps<T>(trie: &KeyTrie<T>, routing_key: &str) -> usize {
        let visit = &mut |_: &T| {};
        let mut walk = Walk::new(visit);
        walk.node(&trie.root, Words::of(routing_key), Above::NoHash);
        walk.steps
    }

    fn nodes<T>(node: &Node<T>) -> usize {
        let wildcards = [&node.one, &node.hash];
        let below = wildcards.into_iter().flatten().map(|child| nodes(child));
        1 + node.literals.values().map(nodes).sum::<usize>() + below.sum::<usize>()
    }

    fn expected(patterns: &[impl AsRef<str>], routing_key: &str) -> Vec<usize> {
        let words: Vec<_> = Words::of(routing_key).collect();
        let matches = |pattern: &str| reference(&Words::of(pattern).collect::<Vec<_>>(), &words);
        (0..patterns.len()).filter(|index| matches(patterns[*index].as_ref())).collect()
    }

    #[test]
    fn agrees_with_the_reference_on_all_short_texts() {
        let patterns = texts_of(&["a", "b", "*", "#"]);
        let trie = trie_of(&patterns);
        for routing_key in texts_of(&["a", "b", ""]) {
            assert_eq!(reached(&trie, &routing_key), expected(&patterns, &routing_key), "{routing_key:?}");
        }
    }

    /// Alone in the tree, a binding key cannot be found by way of another one.
    #[test]
    fn agrees_with_the_binding_key_alone() {
        let routing_keys = texts_of(&["a", "b", ""]);
        for pattern in texts_of(&["a", "b", "*", "#"]) {
            let (trie, binding_key) = (trie_of(&[&pattern]), key(&pattern));
            for routing_key in &routing_keys {
                let found = reached(&trie, routing_key).len();
                assert_eq!(
                    found,
                    usize::from(binding_key.matches(routing_key)),
                    "{pattern:?} and {routing_key:?}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_reference_on_random_texts(
            patterns in prop::collection::btree_set(any_text(), 0..12),
            routing_key in any_text(),
        ) {
            let patterns: Vec<_> = patterns.into_iter().collect();
            prop_assert_eq!(reached(&trie_of(&patterns), &routing_key), expected(&patterns, &routing_key));
        }

        #[test]
        fn removing_undoes_inserting(
            kept in prop::collection::vec(any_text(), 0..8),
            removed in prop::collection::vec(any_text(), 0..8),
            routing_key in any_text(),
        ) {
            let plain = trie_of_kind(&kept, "kept");
            let mut trie = plain.clone();
            for pattern in &removed {
                trie.insert(&key(pattern), "removed");
            }
            for pattern in &removed {
                trie.remove(&key(pattern), &"removed");
            }
            prop_assert_eq!(trie.len(), plain.len());
            prop_assert_eq!(nodes(&trie.root), nodes(&plain.root));
            prop_assert_eq!(reached(&trie, &routing_key), reached(&plain, &routing_key));
        }
    }

    fn trie_of_kind(patterns: &[String], value: &'static str) -> KeyTrie<&'static str> {
        let mut trie = KeyTrie::default();
        for pattern in patterns {
            trie.insert(&key(pattern), value);
        }
        trie
    }

    #[test]
    fn insert_and_remove_return_to_empty() {
        let patterns = texts_of(&["a", "b", "*", "#", ""]);
        let mut trie = trie_of(&patterns);
        assert_eq!(trie.len(), patterns.len());
        for (index, pattern) in patterns.iter().enumerate() {
            assert!(!trie.remove(&key(pattern), &usize::MAX));
            assert!(trie.remove(&key(pattern), &index));
            assert!(!trie.remove(&key(pattern), &index));
        }
        assert!(trie.is_empty());
        assert!(trie.root.is_empty());
    }

    #[test]
    fn removing_what_is_not_there_leaves_the_rest() {
        let mut trie = trie_of(&["a.b.c", "a"]);
        for absent in ["a.b", "a.b.c.d", "a.*", "a.b.#", "x", ""] {
            assert!(!trie.remove(&key(absent), &0), "{absent}");
        }
        assert!(trie.remove(&key("a"), &1));
        assert_eq!(reached(&trie, "a.b.c"), [0]);
    }

    #[test]
    fn t2_a_pair_is_visited_once_but_a_value_under_two_binding_keys_twice() {
        let mut trie = KeyTrie::default();
        for pattern in ["#.a.#", "#.#.a.#.#", "#.a.#"] {
            trie.insert(&key(pattern), "queue");
        }
        assert_eq!(trie.len(), 2);
        assert_eq!(reached(&trie, "a.a.a"), ["queue"; 2]);
    }

    /// The number of places looked at is the promise; the time follows from it.
    #[test]
    fn many_hashes_do_not_explode() {
        let routing_key = vec!["a"; 120].join(".");
        for pattern in
            ["#.a.#.a.#.a.#.a.#.b".into(), format!("{}b", "#.a.".repeat(62)), vec!["#"; 128].join(".")]
        {
            let trie = trie_of(&[pattern]);
            assert!(steps(&trie, &routing_key) <= nodes(&trie.root) * 121);
        }
    }

    #[test]
    fn ten_thousand_hostile_bindings_do_not_explode() {
        let routing_key = vec!["a"; 120].join(".");
        let mut same = KeyTrie::default();
        let mut alike = KeyTrie::default();
        for number in 0..10_000 {
            same.insert(&key("#.a.#.a.#.a.#.a.#.b"), number);
            // The bits of the number choose among wildcards and words: 16 384 ways to be hostile.
            let words = (0..14).map(|bit| if number >> bit & 1 == 1 { "#.a" } else { "#.*" });
            alike.insert(&key(&format!("{}.#.b", words.collect::<Vec<_>>().join("."))), number);
        }
        for trie in [same, alike] {
            assert_eq!(trie.len(), 10_000);
            assert!(steps(&trie, &routing_key) <= nodes(&trie.root) * 121);
            assert_eq!(reached(&trie, &routing_key), [0; 0]);
        }
    }

    #[test]
    fn other_bindings_do_not_slow_a_lookup_down() {
        let trie_with = |bindings: usize| {
            let shapes =
                |number| [format!("app.e{number}.saved"), format!("app.e{number}.*"), format!("e{number}.#")];
            trie_of(&(0..bindings.div_ceil(3)).flat_map(shapes).collect::<Vec<_>>())
        };
        let (few, many) = (trie_with(10), trie_with(100_000));
        for routing_key in ["app.e3.saved", "app.e3.gone", "e2.page.saved", "app.unknown.saved", ""] {
            assert_eq!(steps(&few, routing_key), steps(&many, routing_key), "{routing_key}");
        }
    }

    #[test]
    fn the_longest_binding_keys_are_no_problem() {
        for word in ["", "#", "*"] {
            let pattern = vec![word; 128].join(".");
            let mut trie = trie_of(&[&pattern]);
            assert_eq!(reached(&trie, &vec![""; 128].join(".")), [0], "{word:?}");
            assert!(trie.remove(&key(&pattern), &0));
        }
        let dots = ".".repeat(255);
        assert_eq!(reached(&trie_of(&[&dots]), &dots), [0]);
    }
}
