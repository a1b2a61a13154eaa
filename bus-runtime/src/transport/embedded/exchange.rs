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
        Self { declared, sources: Vec::new(), router, bindings: 0, walked: 0 }
    }

    /// Adds a binding, and says whether it is new.
    pub(super) fn bind(&mut self, key: &BindingKey, target: Target) -> bool {
        let new = self.router.insert(key, target);
        self.bindings += usize::from(new);
        new
    }

    /// Removes a binding, and says whether that was the last one of an exchange that goes with it.
    pub(super) fn unbind(&mut self, key: &BindingKey, target: Target) -> bool {
        let removed = self.router.remove(key, target);
        self.bindings -= usize::from(removed);
        removed && self.bindings == 0 && self.declared.auto_delete
    }

    /// Whether bindings lead from it.
    pub(super) fn is_used(&self) -> bool {
        self.bindings > 0
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
                        exchange.router.for_each_match(routing_key, &mut |target| ahead.push(*target));
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
