//! Brings the broker to what an app needs, as far as it is told to.

use super::lock::{self, Lock};
use super::mark::Marks;
use super::rename;
use super::{Doomed, Drift, Provision, View};
use crate::error::Error;
use crate::topology::diff::{Change, Remedy};
use crate::topology::{
    BindingDefinition, Definitions, Destination, DestinationType, Exchange, ExchangeDefinition, IfMissing,
    QueueDefinition, Topology,
};

/// How far to go. The default declares what is missing, and deletes nothing.
#[derive(Clone, Debug, Default)]
pub struct Apply {
    /// Delete these first, with their messages, and declare them anew: from [`Provision::doomed`], after asking.
    pub recreate: Vec<Doomed>,
    /// Delete what removed handlers have left behind, when it is empty and unused.
    pub prune: bool,
}

/// What [`Provision::apply`] has done.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Applied {
    /// What was missing and is declared.
    pub declared: Vec<Change>,
    /// What was deleted and declared anew.
    pub recreated: Vec<Doomed>,
    /// What was left behind and is deleted.
    pub pruned: Vec<Change>,
    /// What should have been deleted and was not.
    pub held: Vec<Held>,
    /// What differs still.
    pub left: Drift,
}

/// Something that was not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Such as `queue wiki.on_wiki.react`.
    pub what: String,
    /// Why it is still there, such as `3 messages`.
    pub why: String,
}

impl Provision {
    /// Declares what is missing; deletes only what `how` says. What is declared otherwise and not to be recreated stays as it
    /// is. Ends with a note of what belongs to the app. Only one at a time changes a broker: others wait.
    ///
    /// # Errors
    /// What the broker says. What was done until then stays done, and the next call goes on from there.
    ///
    /// # Cancel safety
    /// What was done stays done; the note may not say so yet, and the next call writes it.
    pub async fn apply(&self, how: &Apply) -> Result<Applied, Error> {
        let lock = Lock::acquire(&self.transport, &self.owner.prefix, lock::PATIENCE).await?;
        let applied = self.apply_locked(how).await;
        lock.release().await;
        applied
    }

    async fn apply_locked(&self, how: &Apply) -> Result<Applied, Error> {
        let mut marks = Marks::take(&*self.transport, &self.owner.prefix).await?;
        let before = self.view(&marks).await?;
        let mut held = Vec::new();
        let recreated = self.tear_down(how, &before, &mut held).await?;
        // Bindings that others made went with their queues; they are made again.
        let foreign = recreated.iter().flat_map(|one| before.foreign_bindings_of(one));
        let foreign: Vec<_> = foreign.filter_map(BindingDefinition::to_binding).collect();
        let view = if recreated.is_empty() { before } else { self.view(&marks).await? };
        let changes = self.drift(&view).changes;
        let exchanges = self.missing_foreign(&view);
        self.transport.declare(&Topology { exchanges, ..Topology::default() }).await?;
        self.transport.declare(&self.safe_part(&changes)).await?;
        self.transport.declare(&Topology { bindings: foreign, ..Topology::default() }).await?;
        // The new queues are bound: from now on messages come to them alone.
        rename::cut_off(&*self.transport, &self.renamed).await?;
        // Noted before anything is pruned: a crash from here on forgets nothing.
        marks.replace(&*self.transport, &self.owner, self.owned(&view, &changes, &[])).await?;
        let pruned = match how.prune {
            true => self.prune_all(&view, &changes, &mut held).await?,
            false => Vec::new(),
        };
        marks.replace(&*self.transport, &self.owner, self.owned(&view, &changes, &pruned)).await?;
        let left = self.drift(&self.view(&marks).await?);
        marks.give_back(&*self.transport).await?;
        let is_news = |change: &Change| change.remedy() == Remedy::Declare;
        let declared = changes.into_iter().filter(is_news).collect();
        Ok(Applied { declared, recreated, pruned, held, left })
    }

    async fn tear_down(&self, how: &Apply, view: &View, held: &mut Vec<Held>) -> Result<Vec<Doomed>, Error> {
        let mut bindings = view.wanted.bindings.clone();
        bindings.extend(view.ours.bindings.iter().cloned());
        let mut gone = Vec::new();
        for doomed in &how.recreate {
            if view.foreign_bindings_of(doomed).any(|binding| binding.to_binding().is_none()) {
                held.push(unrestorable(doomed));
                continue;
            }
            match self.delete(doomed, &bindings).await? {
                None => gone.push(doomed.clone()),
                Some(why) => held.push(why),
            }
        }
        Ok(gone)
    }

    async fn prune_all(
        &self,
        view: &View,
        changes: &[Change],
        held: &mut Vec<Held>,
    ) -> Result<Vec<Change>, Error> {
        let mut pruned = Vec::new();
        let mut left: Vec<_> = changes.iter().filter(|change| change.remedy() == Remedy::Prune).collect();
        // A queue goes before its `.dead`, and both before the exchanges.
        left.sort_by_key(|change| match change {
            Change::LeftQueue { name, .. } | Change::RenamedQueue { name, .. } => {
                i32::from(name.ends_with(".dead"))
            }
            _ => 2,
        });
        for change in left {
            match self.prune(change, &view.ours, held).await? {
                None => pruned.push(change.clone()),
                Some(why) => held.push(why),
            }
        }
        Ok(pruned)
    }

    /// What can be declared without a refusal: all but what exists with other arguments. Its bindings are made all the same.
    fn safe_part(&self, changes: &[Change]) -> Topology {
        let differs = |name: &str| changes.iter().any(|change| different_name(change) == Some(name));
        let mut safe = self.topology.clone();
        safe.queues.retain(|queue| !differs(&queue.name));
        safe.exchanges.retain(|exchange| !differs(&exchange.name));
        // A queue that belongs to another connection cannot even be bound.
        safe.bindings.retain(|binding| match &binding.destination {
            Destination::Queue(queue) => !is_locked(changes, queue),
            Destination::Exchange(_) => true,
        });
        safe.bindings.retain(|binding| !is_missing_foreign(changes, &binding.exchange));
        safe
    }

    /// The exchanges of others that do not exist and may be declared for them.
    fn missing_foreign(&self, view: &View) -> Vec<Exchange> {
        let foreign = self.foreign.exchanges.iter().filter(|one| one.if_missing == IfMissing::Declare);
        let exchanges = foreign.map(|one| &one.exchange);
        exchanges.filter(|one| !view.look.seen.exchanges.contains_key(one.name.as_str())).cloned().collect()
    }

    /// What belongs to the app from now on: what it had, as far as that still exists, and what it has declared. What exists
    /// with other arguments is not claimed, unless it was declared for the app before.
    fn owned(&self, view: &View, changes: &[Change], pruned: &[Change]) -> Definitions {
        let seen = &view.look.seen;
        let mut earlier = view.ours.clone();
        let is_pruned = |name: &str| {
            pruned.iter().any(|change| match change {
                Change::LeftQueue { name: gone, .. }
                | Change::RenamedQueue { name: gone, .. }
                | Change::LeftExchange { name: gone } => gone == name,
                _ => false,
            })
        };
        earlier.queues.retain(|queue| seen.queues.contains_key(&queue.name) && !is_pruned(&queue.name));
        earlier.exchanges.retain(|one| seen.exchanges.contains_key(&one.name) && !is_pruned(&one.name));
        earlier.bindings.retain(|binding| {
            let gone = pruned.contains(&Change::LeftBinding(binding.clone()))
                || seen.bindings.as_ref().is_some_and(|bindings| !bindings.contains(binding));
            let from_others = seen.exchanges.contains_key(&binding.source);
            !gone
                && (from_others || has_exchange(&earlier.exchanges, &binding.source))
                && has_destination(&earlier.queues, &earlier.exchanges, binding)
        });
        let mut owned = Definitions::from(&self.safe_part(changes));
        owned.merge(earlier);
        owned
    }
}

fn unrestorable(doomed: &Doomed) -> Held {
    let (Doomed::Queue { name, .. } | Doomed::Exchange { name }) = doomed;
    let why = "somebody else has bound it with arguments, which would be lost".to_owned();
    Held { what: format!("queue {name}"), why }
}

fn different_name(change: &Change) -> Option<&str> {
    match change {
        Change::DifferentQueue { name, .. } | Change::DifferentExchange { name, .. } => Some(name),
        _ => None,
    }
}

fn is_locked(changes: &[Change], queue: &str) -> bool {
    changes.iter().any(|change| match change {
        Change::DifferentQueue { name, found } => {
            name == queue && found.differences.iter().any(|difference| difference.argument == "exclusive")
        }
        _ => false,
    })
}

fn is_missing_foreign(changes: &[Change], exchange: &str) -> bool {
    changes.iter().any(|change| matches!(change, Change::MissingForeign { name, .. } if name == exchange))
}

/// Whether what a binding leads to is the app's.
fn has_destination(
    queues: &[QueueDefinition],
    exchanges: &[ExchangeDefinition],
    binding: &BindingDefinition,
) -> bool {
    match binding.destination_type {
        DestinationType::Queue => queues.iter().any(|queue| queue.name == binding.destination),
        DestinationType::Exchange => has_exchange(exchanges, &binding.destination),
    }
}

fn has_exchange(exchanges: &[ExchangeDefinition], name: &str) -> bool {
    exchanges.iter().any(|exchange| exchange.name == name)
}
