//! An exchange, and the way of a message from it to every queue that wants the message.

use std::collections::HashMap;

use super::queue::QueueId;
use super::slots::Key;
use super::state::State;
use crate::binding_key::BindingKey;
use crate::routing::KeyTrie;
use crate::topology::{self, ExchangeKind};

/// Finds an [`Exchange`].
pub(super) type ExchangeId = Key;

/// Where a binding leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Queue(QueueId),
    Exchange(ExchangeId),
}

/// A binding, as its destination remembers it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    pub(super) exchange: ExchangeId,
    pub(super) key: BindingKey,
}

#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) declared: topology::Exchange,
    /// The bindings that lead here.
    pub(super) sources: Vec<Source>,
    router: Router,
    recent: Recent,
    /// How many bindings lead from here.
    bindings: usize,
    /// The last walk that came by, so that a cycle of exchanges ends.
    walked: u64,
}

impl Exchange {
    pub(super) fn new(declared: topology::Exchange) -> Self {
        let router = match declared.kind {
            ExchangeKind::Topic => Router::Topic(KeyTrie::default()),
            ExchangeKind::Direct => Router::Direct(HashMap::new()),
            ExchangeKind::Fanout => Router::Fanout(Vec::new()),
        };
        Self { declared, sources: Vec::new(), router, recent: Recent::default(), bindings: 0, walked: 0 }
    }

    /// Adds a binding, and says whether it is new.
    pub(super) fn bind(&mut self, key: &BindingKey, target: Target) -> bool {
        self.recent = Recent::default();
        let new = self.router.insert(key, target);
        self.bindings += usize::from(new);
        new
    }

    /// Removes a binding, and says whether that was the last one of an exchange that goes with it.
    pub(super) fn unbind(&mut self, key: &BindingKey, target: Target) -> bool {
        self.recent = Recent::default();
        let removed = self.router.remove(key, target);
        self.bindings -= usize::from(removed);
        removed && self.bindings == 0 && self.declared.auto_delete
    }

    /// Adds where a message goes next.
    fn targets(&mut self, routing_key: &str, found: &mut Vec<Target>) {
        match &self.router {
            Router::Topic(trie) => self.recent.targets(routing_key, trie, found),
            router => router.for_each_match(routing_key, &mut |target| found.push(*target)),
        }
    }

    /// Whether bindings lead from it.
    pub(super) fn is_used(&self) -> bool {
        self.bindings > 0
    }
}

/// Where messages with the routing keys of late went from a topic exchange. Routing keys come again and again, and a walk through
/// the bindings costs ten times as much as a look here. A new or removed binding empties it.
#[derive(Debug, Default)]
struct Recent {
    /// As many as [`PLACES`](Self::PLACES), or none yet. A key has one place, and the last that came has it.
    places: Vec<Option<Way>>,
}

/// A routing key, and where it leads.
type Way = (Box<str>, Box<[Target]>);

impl Recent {
    /// How many keys are remembered at most.
    const PLACES: usize = 256;
    /// How many targets are remembered of one key at most: what has more costs more than the walk to them.
    const TARGETS_MAX: usize = 64;

    fn targets(&mut self, routing_key: &str, trie: &KeyTrie<Target>, found: &mut Vec<Target>) {
        if self.places.is_empty() {
            self.places.resize_with(Self::PLACES, || None);
        }
        let mixed = |mixed: usize, byte: u8| mixed.wrapping_mul(31).wrapping_add(byte.into());
        let place = &mut self.places[routing_key.bytes().fold(0, mixed) % Self::PLACES];
        if let Some((key, targets)) = place
            && **key == *routing_key
        {
            return found.extend_from_slice(targets);
        }
        let before = found.len();
        trie.for_each_match(routing_key, &mut |target| found.push(*target));
        let targets = &found[before..];
        if targets.len() <= Self::TARGETS_MAX {
            *place = Some((routing_key.into(), targets.into()));
        }
    }
}

#[derive(Debug)]
enum Router {
    Topic(KeyTrie<Target>),
    Direct(HashMap<BindingKey, Vec<Target>>),
    Fanout(Vec<(BindingKey, Target)>),
}

impl Router {
    fn insert(&mut self, key: &BindingKey, target: Target) -> bool {
        match self {
            Self::Topic(trie) => trie.insert(key, target),
            Self::Direct(targets) => {
                let targets = targets.entry(key.clone()).or_default();
                let new = !targets.contains(&target);
                if new {
                    targets.push(target);
                }
                new
            }
            Self::Fanout(targets) => {
                let new = !targets.iter().any(|(other, known)| other == key && *known == target);
                if new {
                    targets.push((key.clone(), target));
                }
                new
            }
        }
    }

    fn remove(&mut self, key: &BindingKey, target: Target) -> bool {
        match self {
            Self::Topic(trie) => trie.remove(key, &target),
            Self::Direct(by_key) => {
                let Some(targets) = by_key.get_mut(key.as_str()) else { return false };
                let before = targets.len();
                targets.retain(|known| *known != target);
                let removed = targets.len() < before;
                if targets.is_empty() {
                    by_key.remove(key.as_str());
                }
                removed
            }
            Self::Fanout(targets) => {
                let before = targets.len();
                targets.retain(|(other, known)| other != key || *known != target);
                targets.len() < before
            }
        }
    }

    fn for_each_match(&self, routing_key: &str, visit: &mut impl FnMut(&Target)) {
        match self {
            Self::Topic(trie) => trie.for_each_match(routing_key, visit),
            Self::Direct(targets) => targets.get(routing_key).into_iter().flatten().for_each(visit),
            Self::Fanout(targets) => targets.iter().for_each(|(_, target)| visit(target)),
        }
    }
}

impl State {
    /// Adds every queue that a message reaches to `reached`, each once; `None` when there is no such exchange.
    pub(super) fn route(
        &mut self,
        exchange: &str,
        routing_key: &str,
        reached: &mut Vec<QueueId>,
    ) -> Option<()> {
        if exchange.is_empty() {
            reached.extend(self.queue_ids.get(routing_key));
            return Some(());
        }
        let first = *self.exchange_ids.get(exchange)?;
        self.walks += 1;
        let mut ahead = std::mem::take(&mut self.ahead);
        ahead.push(Target::Exchange(first));
        let mut next = 0;
        while let Some(target) = ahead.get(next).copied() {
            next += 1;
            match target {
                Target::Queue(id) => match self.queues.get_mut(id) {
                    Some(queue) if queue.walked != self.walks => {
                        queue.walked = self.walks;
                        reached.push(id);
                    }
                    _ => {}
                },
                Target::Exchange(id) => match self.exchanges.get_mut(id) {
                    Some(exchange) if exchange.walked != self.walks => {
                        exchange.walked = self.walks;
                        exchange.targets(routing_key, &mut ahead);
                    }
                    _ => {}
                },
            }
        }
        ahead.clear();
        self.ahead = ahead;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange() -> Exchange {
        Exchange::new(topology::Exchange {
            name: crate::names::ExchangeName::new("topics").unwrap(),
            kind: ExchangeKind::Topic,
            durable: true,
            auto_delete: false,
        })
    }

    fn targets(exchange: &mut Exchange, routing_key: &str) -> usize {
        let mut found = Vec::new();
        exchange.targets(routing_key, &mut found);
        found.len()
    }

    #[test]
    fn a_key_that_was_looked_up_before_follows_the_bindings_of_now() {
        let (mut exchange, key) = (exchange(), BindingKey::parse("wiki.#").unwrap());
        let queue = Target::Queue(Key::from_tag(7));
        assert_eq!(targets(&mut exchange, "wiki.saved"), 0);
        exchange.bind(&key, queue);
        assert_eq!([(); 2].map(|()| targets(&mut exchange, "wiki.saved")), [1, 1]);
        exchange.unbind(&key, queue);
        assert_eq!(targets(&mut exchange, "wiki.saved"), 0);
    }

    #[test]
    fn keys_that_share_a_place_do_not_share_their_targets() {
        let mut exchange = exchange();
        for number in 0..4 * Recent::PLACES {
            let key = BindingKey::parse(format!("wiki.{number}")).unwrap();
            exchange.bind(&key, Target::Queue(Key::from_tag(number as u64)));
        }
        for number in (0..4 * Recent::PLACES).chain(0..4 * Recent::PLACES) {
            let mut found = Vec::new();
            exchange.targets(&format!("wiki.{number}"), &mut found);
            assert_eq!(found, [Target::Queue(Key::from_tag(number as u64))]);
        }
    }
}
