//! Deletes what removed handlers have left behind, when it is empty and nobody uses it.

use super::{Held, Provision};
use crate::error::Error;
use crate::names::{ExchangeName, QueueName};
use crate::topology::diff::Change;
use crate::topology::{BindingDefinition, Definitions, QueueType, Topology};
use crate::transport::{Deletion, QueueState};

impl Provision {
    /// Removes what one change says is left behind; says what holds it back.
    pub(super) async fn prune(
        &self,
        change: &Change,
        ours: &Definitions,
        held: &[Held],
    ) -> Result<Option<Held>, Error> {
        let (what, deletion) = match change {
            Change::LeftBinding(binding) => {
                self.unbind(binding).await?;
                return Ok(None);
            }
            Change::LeftQueue { name, .. } | Change::RenamedQueue { name, .. } if is_needed(name, held) => {
                let why = "the queue whose dead letters it takes is still there".to_owned();
                (format!("queue {name}"), Deletion::Held(why))
            }
            Change::LeftQueue { name, found } => {
                let state = QueueState { ready: found.messages, consumers: found.consumers };
                let deletion = match state.hold() {
                    Some(why) => Deletion::Held(why),
                    None => self.prune_queue(name, ours).await?,
                };
                (format!("queue {name}"), deletion)
            }
            Change::RenamedQueue { name, found, .. } => {
                let state = QueueState { ready: found.messages, consumers: found.consumers };
                let deletion = match state.hold() {
                    Some(why) => Deletion::Held(why),
                    // It is bound no more, whatever becomes of it.
                    None => {
                        self.transport
                            .delete_idle_queue(&QueueName::new(name)?, queue_type(name, ours))
                            .await?
                    }
                };
                (format!("queue {name}"), deletion)
            }
            Change::LeftExchange { name } => {
                let name = ExchangeName::new(name)?;
                (format!("exchange {name}"), self.transport.delete_unused_exchange(&name).await?)
            }
            _ => return Ok(None),
        };
        Ok(match deletion {
            Deletion::Done => None,
            Deletion::Held(why) => Some(Held { what, why }),
        })
    }

    /// Cuts the queue off first, so that nothing arrives between the last look and the deletion. Whatever has come until then
    /// keeps the queue, which is bound again.
    async fn prune_queue(&self, name: &str, ours: &Definitions) -> Result<Deletion, Error> {
        let bindings: Vec<_> = ours
            .bindings
            .iter()
            .filter(|binding| binding.destination == name)
            .filter_map(BindingDefinition::to_binding)
            .collect();
        for binding in &bindings {
            self.transport.unbind(binding).await?;
        }
        let deletion = self.transport.delete_idle_queue(&QueueName::new(name)?, queue_type(name, ours)).await;
        if !matches!(deletion, Ok(Deletion::Done)) {
            self.transport.declare(&Topology { bindings, ..Topology::default() }).await?;
        }
        deletion
    }
}

fn queue_type(name: &str, ours: &Definitions) -> QueueType {
    match ours.queue(name).and_then(|queue| queue.arguments.get("x-queue-type")) {
        Some(kind) if kind == QueueType::Classic.as_str() => QueueType::Classic,
        _ => QueueType::Quorum,
    }
}

/// Whether this is the `.dead` of a queue that stays.
fn is_needed(name: &str, held: &[Held]) -> bool {
    let work = name.strip_suffix(".dead");
    work.is_some_and(|work| held.iter().any(|held| held.what == format!("queue {work}")))
}
