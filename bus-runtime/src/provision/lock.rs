//! The lock under which marks are read and written: an exclusive queue, which ends with the connection that holds it.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::names::QueueName;
use crate::seam;
use crate::topology::{Queue, QueueType, Topology, naming};
use crate::transport::Transport;

/// How long a command waits for another one that changes the topology.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How long a worker that starts waits: others start with it, and each holds the lock for some milliseconds.
pub(super) const START_PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two attempts, lengthened by chance so that many who wait do not knock together.
const PAUSE_MILLIS: (u32, u32) = (20, 80);

/// Nobody else reads or writes marks while it is held.
#[derive(Debug)]
#[must_use = "the lock is held until it is released"]
pub(super) struct Lock {
    transport: Arc<dyn Transport>,
    name: QueueName,
}

impl Lock {
    /// Waits for the lock.
    pub(super) async fn acquire(
        transport: &Arc<dyn Transport>,
        prefix: &str,
        patience: Duration,
    ) -> Result<Self, Error> {
        let name = QueueName::new(naming::marks_lock(prefix))?;
        let mut queue = Queue::durable(name.clone(), QueueType::Classic);
        queue.durable = false;
        queue.exclusive = true;
        queue.auto_delete = true;
        let topology = Topology { queues: vec![queue], ..Topology::default() };
        let deadline = seam::now() + patience;
        loop {
            match transport.declare(&topology).await {
                Ok(()) => return Ok(Self { transport: Arc::clone(transport), name }),
                Err(error) if error.kind() != ErrorKind::ExclusiveQueue => return Err(error),
                Err(_) if seam::now() >= deadline => return Err(busy(&name, patience)),
                Err(_) => {
                    let (least, more) = PAUSE_MILLIS;
                    let pause = least + seam::random_below(more);
                    seam::sleep(Duration::from_millis(pause.into())).await;
                }
            }
        }
    }

    /// Lets the next one in.
    pub(super) async fn release(self) {
        if let Err(error) = self.transport.delete_queue(&self.name).await {
            // It goes with the connection.
            tracing::debug!(%error, "the lock of the topology is not released yet");
        }
    }
}

fn busy(name: &QueueName, patience: Duration) -> Error {
    Error::new(
        ErrorKind::TimedOut,
        format!("somebody else has been changing the topology for {} s", patience.as_secs()),
    )
    .with_help(format!("they hold the exclusive queue `{name}`, which ends with their connection: try again"))
}
