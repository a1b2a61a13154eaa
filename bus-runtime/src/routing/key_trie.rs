//! Many binding keys in one tree, so that one walk finds all that match a routing key.

use std::collections::{HashMap, HashSet};

use crate::{
    binding_key::{BindingKey, BindingWord, BindingWords},
    names::Words,
};

/// A set of (binding key, value) pairs that answers which values a routing key reaches.
///
/// The keys are kept as a tree with one level per word, so binding keys that begin alike share their beginning and the
/// many that cannot match are never looked at.
///
/// # Complexity
///
/// For a routing key of *w* words:
///
/// - Without `#` in the binding keys a lookup follows at most two branches per word, the word itself and `*`, and only
///   branches that exist. How many *other* bindings there are does not matter.
/// - With `#`, every node of the tree is visited at most once for each of the *w* + 1 places in the routing key, whatever
///   the binding keys: the worst case is (nodes) x (*w* + 1), never exponential.
/// - A lookup allocates only if it comes to the second `#` of a binding key: then it remembers where it has been.
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
    /// Each pair is visited at most once, even if `#` can match in several ways. A value that was inserted under two
    /// binding keys which both match is visited twice.
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
/// A `#` tries its continuation at the place where it was entered and at every later place of the routing key, in this
/// order. Below a first `#`, a second one is therefore reached again and again, each time further to the right. But it
/// has tried all places to the right the first time. So a `#` below a `#` needs to be entered only once, and every other
/// entry can be skipped; by the same argument this holds for a third below the second, and so on. Between two `#` the
/// way down takes one word per level, so a node is met once per place where the `#` above it starts.
struct Walk<'v, T, F> {
    visit: &'v mut F,
    /// Where the second and later `#` led to, as far as they were entered. Most walks meet none and do not allocate.
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
