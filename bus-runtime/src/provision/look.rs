//! Looks at everything that an app needs or has declared.

use crate::error::{Error, ErrorKind};
use crate::names::QueueName;
use crate::topology::diff::{Difference, Seen, SeenQueue};
use crate::topology::{Definitions, Queue, Topology};
use crate::transport::Transport;

/// What was seen.
pub(super) struct Look {
    pub(super) seen: Seen,
    /// Product and version of the broker.
    pub(super) server: String,
    /// Why bindings were not seen.
    pub(super) unseen: Option<String>,
}

pub(super) async fn look(
    transport: &dyn Transport,
    wanted: &Topology,
    ours: &Definitions,
) -> Result<Look, Error> {
    let mut seen = Seen::default();
    for exchange in &wanted.exchanges {
        if let Some(differences) = transport.compare_exchange(exchange).await? {
            seen.exchanges.insert(exchange.name.to_string(), differences);
        }
    }
    for queue in &wanted.queues {
        if let Some(found) = look_at(transport, queue).await? {
            seen.queues.insert(queue.name.to_string(), found);
        }
    }
    look_at_ours(transport, ours, &mut seen).await?;
    Ok(match transport.survey().await {
        Ok(survey) => {
            seen.bindings = Some(survey.bindings);
            Look { seen, server: survey.server, unseen: None }
        }
        Err(error) => {
            let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
            Look { seen, server: transport.describe().server, unseen: Some(format!("{error}{help}")) }
        }
    })
}

async fn look_at(transport: &dyn Transport, queue: &Queue) -> Result<Option<SeenQueue>, Error> {
    let differences = match transport.compare_queue(queue).await {
        Ok(Some(differences)) => differences,
        Ok(None) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::ExclusiveQueue => return Ok(Some(exclusive())),
        Err(error) => return Err(error),
    };
    let state = transport.inspect(&queue.name).await?;
    Ok(state.map(|state| SeenQueue { differences, messages: state.ready, consumers: state.consumers }))
}

/// A queue of another connection, about which the broker tells nothing else.
fn exclusive() -> SeenQueue {
    let difference = Difference {
        argument: "exclusive".to_owned(),
        wanted: Some("false".to_owned()),
        current: Some("true".to_owned()),
    };
    SeenQueue { differences: vec![difference], ..SeenQueue::default() }
}

/// What was declared earlier and is not wanted any more: whether it is still there.
async fn look_at_ours(transport: &dyn Transport, ours: &Definitions, seen: &mut Seen) -> Result<(), Error> {
    for exchange in &ours.exchanges {
        let Some(declared) = exchange.to_exchange() else { continue };
        if !seen.exchanges.contains_key(&exchange.name)
            && transport.compare_exchange(&declared).await?.is_some()
        {
            seen.exchanges.insert(exchange.name.clone(), Vec::new());
        }
    }
    for queue in &ours.queues {
        if seen.queues.contains_key(&queue.name) {
            continue;
        }
        match transport.inspect(&QueueName::new(&queue.name)?).await {
            Ok(None) => {}
            Ok(Some(state)) => {
                let found =
                    SeenQueue { messages: state.ready, consumers: state.consumers, ..SeenQueue::default() };
                seen.queues.insert(queue.name.clone(), found);
            }
            // It has become somebody else's.
            Err(error) if error.kind() == ErrorKind::ExclusiveQueue => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
