//! What has to be deleted before it can be declared anew.

use super::{Held, Provision};
use crate::error::Error;
use crate::names::{ExchangeName, QueueName};
use crate::topology::BindingDefinition;
use crate::topology::diff::Sides;
use crate::transport::Deletion;

/// What to delete and declare anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recreate {
    /// Everything that the app needs and no other app has declared too.
    All,
    /// What is declared otherwise than the code says.
    Changed,
}

/// Something that is going to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doomed {
    /// A queue with its messages. Bindings that others made to it are made again, as far as they can be seen.
    Queue {
        /// Its name.
        name: String,
        /// The messages that are ready in it; those that are being handled are not counted.
        messages: u64,
        /// Consumers, which lose it.
        consumers: u32,
    },
    /// An exchange, unless others are bound to it.
    Exchange {
        /// Its name.
        name: String,
    },
}

impl Doomed {
    /// The messages that go with it.
    #[must_use]
    pub fn messages(&self) -> u64 {
        match self {
            Self::Queue { messages, .. } => *messages,
            Self::Exchange { .. } => 0,
        }
    }
}

/// Queues, then exchanges. What another app has declared too is not ours to delete.
pub(super) fn doomed(Sides { wanted, others, seen, .. }: Sides<'_>, recreate: Recreate) -> Vec<Doomed> {
    let all = recreate == Recreate::All;
    let queues = wanted.queues.iter().filter(|queue| others.queue(&queue.name).is_none());
    let queues = queues.filter_map(|queue| {
        let found = seen.queues.get(&queue.name).filter(|found| all || !found.differences.is_empty())?;
        let (messages, consumers) = (found.messages, found.consumers);
        Some(Doomed::Queue { name: queue.name.clone(), messages, consumers })
    });
    let exchanges = wanted.exchanges.iter().filter(|exchange| others.exchange(&exchange.name).is_none());
    let exchanges = exchanges.filter_map(|exchange| {
        seen.exchanges.get(&exchange.name).filter(|differences| all || !differences.is_empty())?;
        Some(Doomed::Exchange { name: exchange.name.clone() })
    });
    queues.chain(exchanges).collect()
}

impl Provision {
    /// Deletes one thing; says what holds it back.
    pub(super) async fn delete(
        &self,
        doomed: &Doomed,
        bindings: &[BindingDefinition],
    ) -> Result<Option<Held>, Error> {
        match doomed {
            Doomed::Queue { name, .. } => {
                self.transport.delete_queue(&QueueName::new(name)?).await?;
                Ok(None)
            }
            Doomed::Exchange { name } => {
                // Our own bindings do not hold it back.
                for binding in bindings.iter().filter(|binding| binding.source == *name) {
                    self.unbind(binding).await?;
                }
                Ok(match self.transport.delete_unused_exchange(&ExchangeName::new(name)?).await? {
                    Deletion::Done => None,
                    Deletion::Held(why) => Some(Held { what: format!("exchange {name}"), why }),
                })
            }
        }
    }

    /// Removes a binding of ours, when both of its ends are there.
    pub(super) async fn unbind(&self, binding: &BindingDefinition) -> Result<(), Error> {
        match binding.to_binding() {
            Some(binding) => self.transport.unbind(&binding).await,
            None => Ok(()),
        }
    }
}
