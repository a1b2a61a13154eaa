//! What differs between what the handlers need, what was declared for them earlier, and what the broker has. Pure.

use std::collections::BTreeMap;
use std::fmt;

use super::{BindingDefinition, Definitions, Foreign, IfMissing, Renamed, naming};

/// One argument or property of a queue or an exchange that is not as the code wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name, such as `x-message-ttl`, `durable` or `type`.
    pub argument: String,
    /// What the code says; `None` is nothing.
    pub wanted: Option<String>,
    /// What the broker has; `None` is nothing.
    pub current: Option<String>,
}

impl Difference {
    /// Whether an exchange routes in another way than it should: all else is its owner's business.
    pub(crate) fn is_of_kind(&self) -> bool {
        self.argument == "type"
    }
}

/// `x-message-ttl is 1000 on the broker and 2000 in the code`.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { argument, wanted, current } = self;
        let or_not_set = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        write!(
            f,
            "{argument} is {} on the broker and {} in the code",
            or_not_set(current),
            or_not_set(wanted)
        )
    }
}

/// What was found on the broker, of everything that is wanted or was declared earlier.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The exchanges that exist, and how they differ from what is wanted.
    pub exchanges: BTreeMap<String, Vec<Difference>>,
    /// The queues that exist.
    pub queues: BTreeMap<String, SeenQueue>,
    /// Every binding that there is; `None` when the broker does not tell.
    pub bindings: Option<Vec<BindingDefinition>>,
}

/// A queue that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenQueue {
    /// How it differs from what is wanted.
    pub differences: Vec<Difference>,
    /// Messages that are ready in it.
    pub messages: u64,
    /// Consumers of all connections.
    pub consumers: u32,
}

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// What the handlers need.
    pub wanted: &'a Definitions,
    /// What was declared for this app earlier, and not removed since.
    pub ours: &'a Definitions,
    /// What other apps have declared.
    pub others: &'a Definitions,
    /// What the handlers need, and others declare.
    pub foreign: &'a Foreign,
    /// The queues of handlers that have got another name.
    pub renamed: &'a [Renamed],
    /// What the broker has.
    pub seen: &'a Seen,
}

/// One difference between the code and the broker.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// An exchange does not exist.
    MissingExchange {
        /// Its name.
        name: String,
    },
    /// A queue does not exist.
    MissingQueue {
        /// Its name.
        name: String,
        /// The queue that the handler had under its former name, or that of a removed handler with the same bindings.
        renamed_from: Option<String>,
    },
    /// A binding does not exist.
    MissingBinding(BindingDefinition),
    /// An exchange exists, but is declared otherwise.
    DifferentExchange {
        /// Its name.
        name: String,
        /// All that differs.
        differences: Vec<Difference>,
    },
    /// A queue exists, but is declared otherwise.
    DifferentQueue {
        /// Its name.
        name: String,
        /// What the broker has.
        found: SeenQueue,
    },
    /// A binding was made for this app, and no handler wants it any more.
    LeftBinding(BindingDefinition),
    /// A queue was declared for this app, and no handler wants it any more.
    LeftQueue {
        /// Its name.
        name: String,
        /// What the broker has.
        found: SeenQueue,
    },
    /// A queue belongs to a handler that has got another name: its messages are moved to the new one.
    RenamedQueue {
        /// Its name.
        name: String,
        /// The queue that its messages go to.
        to: String,
        /// What the broker has.
        found: SeenQueue,
    },
    /// An exchange was declared for this app, and no handler wants it any more.
    LeftExchange {
        /// Its name.
        name: String,
    },
    /// An exchange or a queue does not exist, and others have to declare it.
    MissingForeign {
        /// `exchange` or `queue`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// An exchange of others routes in another way than the code says.
    UnfitExchange {
        /// Its name.
        name: String,
        /// How it differs.
        differences: Vec<Difference>,
    },
    /// Somebody else has bound a queue or an exchange of this app.
    ForeignBinding(BindingDefinition),
}

impl Change {
    /// What brings the broker and the code together again.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::MissingExchange { .. } | Self::MissingQueue { .. } | Self::MissingBinding(_) => {
                Remedy::Declare
            }
            Self::DifferentExchange { .. } | Self::DifferentQueue { .. } => Remedy::Recreate,
            Self::LeftBinding(_)
            | Self::LeftQueue { .. }
            | Self::RenamedQueue { .. }
            | Self::LeftExchange { .. } => Remedy::Prune,
            Self::MissingForeign { .. } | Self::UnfitExchange { .. } => Remedy::Owner,
            Self::ForeignBinding(_) => Remedy::None,
        }
    }
}

/// What brings the broker and the code together again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Declaring it, which harms nothing.
    Declare,
    /// Deleting it, with its messages, and declaring it anew.
    Recreate,
    /// Deleting it, when nobody uses it and nothing is in it.
    Prune,
    /// Whoever owns it has to declare it, or the code has to say what it is.
    Owner,
    /// It is not ours.
    None,
}

/// Everything that differs: exchanges, queues and bindings to declare, then what is declared otherwise, then what is left
/// behind, then what others made.
#[must_use]
pub fn diff(sides: Sides<'_>) -> Vec<Change> {
    let mut changes = missing(sides);
    changes.extend(different(sides));
    changes.extend(unusable(sides));
    changes.extend(left(sides));
    changes.extend(foreign(sides));
    changes
}

fn missing(sides: Sides<'_>) -> Vec<Change> {
    let Sides { wanted, seen, .. } = sides;
    let foreign = sides.foreign.exchanges.iter().filter(|one| one.if_missing == IfMissing::Declare);
    let foreign = foreign.map(|one| one.exchange.name.as_str());
    let exchanges = wanted.exchanges.iter().map(|exchange| exchange.name.as_str()).chain(foreign);
    let exchanges = exchanges.filter(|name| !seen.exchanges.contains_key(*name));
    let queues = wanted.queues.iter().filter(|queue| !seen.queues.contains_key(&queue.name));
    let bindings = wanted.bindings.iter().filter(|binding| !is_bound(sides, binding));
    exchanges
        .map(|name| Change::MissingExchange { name: name.to_owned() })
        .chain(queues.map(|queue| Change::MissingQueue {
            name: queue.name.clone(),
            renamed_from: renamed_from(sides, &queue.name),
        }))
        .chain(bindings.cloned().map(Change::MissingBinding))
        .collect()
}

/// Whether a binding is there. When the broker does not tell, it is if it was made earlier and both of its ends still exist.
fn is_bound(Sides { ours, seen, .. }: Sides<'_>, binding: &BindingDefinition) -> bool {
    match &seen.bindings {
        Some(bindings) => bindings.contains(binding),
        None => ours.bindings.contains(binding) && has_ends(seen, binding),
    }
}

fn has_ends(seen: &Seen, binding: &BindingDefinition) -> bool {
    let destination = match binding.destination_type {
        super::DestinationType::Queue => seen.queues.contains_key(&binding.destination),
        super::DestinationType::Exchange => seen.exchanges.contains_key(&binding.destination),
    };
    destination && seen.exchanges.contains_key(&binding.source)
}

/// What others have to bring in order.
fn unusable(Sides { foreign, seen, .. }: Sides<'_>) -> Vec<Change> {
    let missing = |what, name: &str| Change::MissingForeign { what, name: name.to_owned() };
    let exchanges = foreign.exchanges.iter().filter_map(|one| {
        let name = one.exchange.name.as_str();
        let Some(differences) = seen.exchanges.get(name) else {
            return (one.if_missing == IfMissing::Refuse).then(|| missing("exchange", name));
        };
        let differences: Vec<_> = differences.iter().filter(|one| one.is_of_kind()).cloned().collect();
        (!differences.is_empty()).then(|| Change::UnfitExchange { name: name.to_owned(), differences })
    });
    let queues = foreign.queues.iter().filter(|name| !seen.queues.contains_key(name.as_str()));
    exchanges.chain(queues.map(|name| missing("queue", name))).collect()
}

/// The queue that the handler had, as it says itself, or else one left behind that had the bindings of this new one.
fn renamed_from(sides: Sides<'_>, new: &str) -> Option<String> {
    let said = sides.renamed.iter().find(|renamed| renamed.to == *new);
    if let Some(from) = said.filter(|renamed| sides.seen.queues.contains_key(renamed.from.as_str())) {
        return Some(from.from.to_string());
    }
    let bindings = bindings_of(sides.wanted, new);
    if bindings.is_empty() {
        return None;
    }
    let mut old = sides.ours.queues.iter().filter(|queue| is_left_queue(sides, &queue.name));
    old.find(|queue| bindings_of(sides.ours, &queue.name) == bindings).map(|queue| queue.name.clone())
}

fn bindings_of<'d>(definitions: &'d Definitions, queue: &str) -> Vec<(&'d str, &'d str)> {
    let of_queue = definitions.bindings.iter().filter(|binding| binding.destination == queue);
    let mut keys: Vec<_> =
        of_queue.map(|binding| (binding.source.as_str(), binding.routing_key.as_str())).collect();
    keys.sort_unstable();
    keys
}

fn different(Sides { wanted, seen, .. }: Sides<'_>) -> Vec<Change> {
    let exchanges = wanted.exchanges.iter().filter_map(|exchange| {
        let differences = seen.exchanges.get(&exchange.name).filter(|differences| !differences.is_empty())?;
        Some(Change::DifferentExchange { name: exchange.name.clone(), differences: differences.clone() })
    });
    let queues = wanted.queues.iter().filter_map(|queue| {
        let found = seen.queues.get(&queue.name).filter(|found| !found.differences.is_empty())?;
        Some(Change::DifferentQueue { name: queue.name.clone(), found: found.clone() })
    });
    exchanges.chain(queues).collect()
}

fn left(sides: Sides<'_>) -> Vec<Change> {
    let Sides { wanted, ours, others, seen, .. } = sides;
    let bindings = ours.bindings.iter().filter(|binding| {
        let unwanted = !wanted.bindings.contains(binding) && !others.bindings.contains(binding);
        let there = seen.bindings.as_ref().is_none_or(|bindings| bindings.contains(binding));
        // The bindings of a queue that is left behind go with it.
        unwanted && there && has_ends(seen, binding) && wanted.has_destination_of(binding)
    });
    let queues = ours.queues.iter().filter(|queue| is_left_queue(sides, &queue.name));
    let queues = queues.filter(|queue| renamed_to(sides, &queue.name).is_none()).filter_map(|queue| {
        let found = seen.queues.get(&queue.name)?.clone();
        Some(Change::LeftQueue { name: queue.name.clone(), found })
    });
    let renamed = sides.renamed.iter().flat_map(|one| [&one.from, &one.from_dead]);
    let renamed = renamed.filter(|name| wanted.queue(name).is_none() && others.queue(name).is_none());
    let renamed = renamed.filter_map(|name| {
        let found = seen.queues.get(name.as_str())?.clone();
        let to = renamed_to(sides, name)?.to_owned();
        Some(Change::RenamedQueue { name: name.to_string(), to, found })
    });
    let exchanges = ours.exchanges.iter().filter(|exchange| {
        let unwanted = wanted.exchange(&exchange.name).is_none() && others.exchange(&exchange.name).is_none();
        unwanted && seen.exchanges.contains_key(&exchange.name)
    });
    (bindings.cloned().map(Change::LeftBinding))
        .chain(queues)
        .chain(renamed)
        .chain(exchanges.map(|exchange| Change::LeftExchange { name: exchange.name.clone() }))
        .collect()
}

/// The queue that the messages of a former one go to.
fn renamed_to<'a>(sides: Sides<'a>, name: &str) -> Option<&'a str> {
    sides.renamed.iter().find_map(|one| match () {
        () if one.from == *name => Some(one.to.as_str()),
        () if one.from_dead == *name => Some(one.to_dead.as_str()),
        () => None,
    })
}

/// Whether a queue was declared for this app and nobody wants it any more.
fn is_left_queue(Sides { wanted, ours, others, .. }: Sides<'_>, name: &str) -> bool {
    ours.queue(name).is_some()
        && wanted.queue(name).is_none()
        && others.queue(name).is_none()
        && !naming::is_run_time(name)
}

fn foreign(Sides { wanted, ours, others, seen, .. }: Sides<'_>) -> Vec<Change> {
    let all = seen.bindings.iter().flatten();
    let foreign = all.filter(|binding| {
        let known = [wanted, ours, others].iter().any(|side| side.bindings.contains(binding));
        !known && !binding.source.is_empty() && wanted.has_destination_of(binding)
    });
    foreign.cloned().map(Change::ForeignBinding).collect()
}

#[cfg(test)]
mod tests;
