//! From a routing key to everything that wants the message.

mod key_trie;

pub use self::key_trie::KeyTrie;
