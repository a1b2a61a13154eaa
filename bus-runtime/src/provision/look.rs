//! Looks at everything that an app needs or has declared.

use crate::error::{Error, ErrorKind};
use crate::names::{ExchangeName, QueueName};
use crate::topology::diff::{Difference, Seen, SeenQueue};
use crate::topology::{Definitions, Foreign, ForeignExchange, IfMissing, Queue, Renamed, Topology};
use crate::transport::Transport;

/// What was seen.
pub(super) struct Look {
    pub(super) seen: Seen,
    /// Product and version of the broker.
    pub(super) server: String,
    /// Why bindings were not seen.
    pub(super) unseen: Option<String>,
}

/// What is looked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) topology: &'a Topology,
    pub(super) foreign: &'a Foreign,
    pub(super) renamed: &'a [Renamed],
}

pub(super) async fn look(
    transport: &dyn Transport,
    Wanted { topology: wanted, foreign, renamed }: Wanted<'_>,
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
    look_at_foreign(transport, foreign, &mut seen).await?;
    for name in renamed.iter().flat_map(|one| [&one.from, &one.from_dead]) {
        look_for(transport, name, &mut seen).await?;
    }
    look_at_ours(transport, ours, &mut seen).await?;
    let sources = ours.bindings.iter().map(|binding| &binding.source).filter(|source| !source.is_empty());
    for source in sources {
        // An exchange of others, which this app was bound to.
        if !seen.exchanges.contains_key(source) && transport.has_exchange(&ExchangeName::new(source)?).await?
        {
            seen.exchanges.insert(source.clone(), Vec::new());
        }
    }
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

/// What others own. Whoever must not declare an exchange may not be allowed to compare it either.
async fn look_at_foreign(transport: &dyn Transport, foreign: &Foreign, seen: &mut Seen) -> Result<(), Error> {
    for one in &foreign.exchanges {
        let name = one.exchange.name.to_string();
        if let Some(differences) = compare_foreign(transport, one).await? {
            seen.exchanges.insert(name, differences);
        }
    }
    for queue in &foreign.queues {
        look_for(transport, queue, seen).await?;
    }
    Ok(())
}

/// How an exchange of others differs; `None` when it does not exist.
pub(super) async fn compare_foreign(
    transport: &dyn Transport,
    ForeignExchange { exchange, if_missing }: &ForeignExchange,
) -> Result<Option<Vec<Difference>>, Error> {
    match if_missing {
        IfMissing::Refuse => Ok(transport.has_exchange(&exchange.name).await?.then(Vec::new)),
        IfMissing::Declare => match transport.compare_exchange(exchange).await {
            Err(error) if error.kind() == ErrorKind::Permission => {
                Ok(transport.has_exchange(&exchange.name).await?.then(Vec::new))
            }
            compared => compared,
        },
    }
}

/// Whether a queue is there, and what is in it.
async fn look_for(transport: &dyn Transport, name: &QueueName, seen: &mut Seen) -> Result<(), Error> {
    if seen.queues.contains_key(name.as_str()) {
        return Ok(());
    }
    match transport.inspect(name).await {
        Ok(None) => {}
        Ok(Some(state)) => {
            let found =
                SeenQueue { messages: state.ready, consumers: state.consumers, ..SeenQueue::default() };
            seen.queues.insert(name.to_string(), found);
        }
        // It has become somebody else's.
        Err(error) if error.kind() == ErrorKind::ExclusiveQueue => {}
        Err(error) => return Err(error),
    }
    Ok(())
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
        look_for(transport, &QueueName::new(&queue.name)?, seen).await?;
    }
    Ok(())
}
