//! The notes about what was declared: one message for each app, in a queue of the broker.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Owner;
use super::lock::{self, Lock};
use crate::envelope::{Envelope, Text};
use crate::error::{Error, ErrorKind};
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::seam;
use crate::topology::plan::DEAD_DELIVERY_LIMIT;
use crate::topology::{Definitions, Queue, QueueType, Topology, naming};
use crate::transport::{Confirmation, Incoming, Transport, Verdict};

/// The form of a mark; another number is another form.
const SCHEMA: &str = "bus.topology/1";
/// Marks that are read: one for each app, and a few that a crash has left twice.
const MARKS_MAX: usize = 1000;
/// How long to wait until the broker has taken given-back marks into the queue again, in steps.
const GIVE_BACK: (u32, std::time::Duration) = (200, std::time::Duration::from_millis(5));

/// What was declared for an app and not removed since, as it stands in `bus.topology`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// `bus.topology/1`.
    pub schema: String,
    /// The app that declared it.
    pub app: String,
    /// The version of that app.
    pub version: Option<String>,
    /// How often it was written; after a crash two may be there.
    pub serial: u64,
    /// When it was written, as RFC 3339.
    pub written_at: String,
    /// What was declared.
    #[serde(flatten)]
    pub definitions: Definitions,
}

impl Mark {
    fn read(body: &[u8]) -> Option<Self> {
        let mark: Self = serde_json::from_slice(body).ok()?;
        (mark.schema == SCHEMA).then_some(mark)
    }
}

/// All marks of a broker. While their messages are held, nobody else sees them.
#[derive(Debug, Default)]
pub(super) struct Marks {
    queue: Option<QueueName>,
    by_app: BTreeMap<String, Mark>,
    /// The messages, with the app that each is of; none for one that cannot be read.
    held: Vec<(Option<String>, Incoming)>,
}

/// Whether there is a queue with marks.
pub(super) async fn exist(transport: &dyn Transport, prefix: &str) -> Result<bool, Error> {
    Ok(transport.inspect(&QueueName::new(naming::marks(prefix))?).await?.is_some())
}

impl Marks {
    /// Takes all marks off the queue, which is declared when it is not there. Only under the lock.
    pub(super) async fn take(transport: &dyn Transport, prefix: &str) -> Result<Self, Error> {
        let name = QueueName::new(naming::marks(prefix))?;
        let mut queue = Queue::durable(name.clone(), QueueType::Quorum);
        queue.arguments.delivery_limit = Some(DEAD_DELIVERY_LIMIT);
        transport.declare(&Topology { queues: vec![queue], ..Topology::default() }).await?;
        let mut marks = Self { queue: Some(name.clone()), by_app: BTreeMap::new(), held: Vec::new() };
        while marks.held.len() < MARKS_MAX {
            let Some(incoming) = transport.get(&name).await? else { break };
            marks.add(incoming);
        }
        Ok(marks)
    }

    /// Two marks of one app are joined, so that nothing declared is forgotten; what the later one says of a thing holds.
    fn add(&mut self, incoming: Incoming) {
        let mark = Mark::read(&incoming.envelope.body);
        self.held.push((mark.as_ref().map(|mark| mark.app.clone()), incoming));
        let Some(mut mark) = mark else {
            return tracing::warn!(
                "a message in `bus.topology` is no mark that this version can read; it stays"
            );
        };
        match self.by_app.remove(&mark.app) {
            Some(mut later) if later.serial > mark.serial => {
                later.definitions.merge(mark.definitions);
                mark = later;
            }
            Some(earlier) => mark.definitions.merge(earlier.definitions),
            None => {}
        }
        self.by_app.insert(mark.app.clone(), mark);
    }

    /// The mark of an app.
    pub(super) fn of(&self, app: &str) -> Option<&Mark> {
        self.by_app.get(app)
    }

    /// What all apps but this one have declared.
    pub(super) fn others(&self, app: &str) -> Definitions {
        let mut others = Definitions::default();
        for (_, mark) in self.by_app.iter().filter(|(other, _)| *other != app) {
            others.merge(mark.definitions.clone());
        }
        others
    }

    /// Writes the mark of an app, and removes its earlier ones when the broker has confirmed it.
    pub(super) async fn replace(
        &mut self,
        transport: &dyn Transport,
        owner: &Owner,
        definitions: Definitions,
    ) -> Result<(), Error> {
        let Some(queue) = &self.queue else { return Ok(()) };
        let written = self.by_app.get(&owner.app);
        let mark = Mark {
            schema: SCHEMA.to_owned(),
            app: owner.app.clone(),
            version: owner.version.clone(),
            serial: written.map_or(0, |mark| mark.serial) + 1,
            written_at: humantime::format_rfc3339_millis(seam::wall_clock()).to_string(),
            definitions,
        };
        let of_app = |app: &Option<String>| app.as_ref() == Some(&owner.app);
        let count = self.held.iter().filter(|(app, _)| of_app(app)).count();
        let unchanged = written
            .is_some_and(|known| known.definitions == mark.definitions && known.version == mark.version);
        if unchanged && count == 1 {
            return Ok(());
        }
        publish(transport, queue, &mark).await?;
        self.by_app.insert(owner.app.clone(), mark);
        for (app, incoming) in std::mem::take(&mut self.held) {
            match of_app(&app) {
                true => incoming.settler.settle(Verdict::Ack)?,
                false => self.held.push((app, incoming)),
            }
        }
        // The new one is held as well, so that it can be replaced in turn.
        let queue = queue.clone();
        if let Some(incoming) = transport.get(&queue).await? {
            self.add(incoming);
        }
        Ok(())
    }

    /// Puts the messages back, and waits until the next reader will find them.
    pub(super) async fn give_back(&mut self, transport: &dyn Transport) -> Result<(), Error> {
        let Some(queue) = self.queue.clone() else { return Ok(()) };
        let count = self.held.len() as u64;
        for (_, incoming) in self.held.drain(..) {
            incoming.settler.settle(Verdict::Requeue)?;
        }
        let (looks, pause) = GIVE_BACK;
        for _ in 0..looks {
            let state = transport.inspect(&queue).await?;
            if state.is_none_or(|state| state.ready >= count) {
                break;
            }
            seam::sleep(pause).await;
        }
        Ok(())
    }
}

/// On every way out, the messages go back.
impl Drop for Marks {
    fn drop(&mut self) {
        for (_, incoming) in self.held.drain(..) {
            // When the channel is gone, the broker has put it back already.
            let _ = incoming.settler.settle(Verdict::Requeue);
        }
    }
}

async fn publish(transport: &dyn Transport, queue: &QueueName, mark: &Mark) -> Result<(), Error> {
    let body = serde_json::to_vec_pretty(mark)
        .map_err(|error| Error::new(ErrorKind::Codec, "a mark cannot be written").with_source(error))?;
    let key = RoutingKey::new(queue.as_str())?;
    let mut envelope = Envelope::new(ExchangeName::default_exchange(), key, body);
    envelope.properties.persistent = true;
    envelope.properties.content_type = Some(Text::Borrowed("application/json"));
    envelope.properties.message_id = Some(Text::Owned(seam::message_id()));
    envelope.properties.message_type = Some(Text::Borrowed(SCHEMA));
    envelope.properties.app_id = Some(Text::Owned(mark.app.clone()));
    match transport.publish(Arc::new(envelope)).await? {
        Confirmation::Routed => Ok(()),
        Confirmation::Unroutable => {
            Err(Error::new(ErrorKind::NotFound, format!("queue `{queue}` was deleted a moment ago")))
        }
    }
}

/// Adds what was declared to the mark of an app.
pub(super) async fn remember(
    transport: &Arc<dyn Transport>,
    topology: &Topology,
    owner: &Owner,
) -> Result<(), Error> {
    let lock = Lock::acquire(transport, &owner.prefix, lock::START_PATIENCE).await?;
    let noted = note(&**transport, topology, owner).await;
    lock.release().await;
    noted
}

async fn note(transport: &dyn Transport, topology: &Topology, owner: &Owner) -> Result<(), Error> {
    let mut marks = Marks::take(transport, &owner.prefix).await?;
    let mut definitions = Definitions::from(topology);
    if let Some(mark) = marks.of(&owner.app) {
        definitions.merge(mark.definitions.clone());
    }
    marks.replace(transport, owner, definitions).await?;
    marks.give_back(transport).await
}
