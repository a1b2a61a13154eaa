//! What an app has on a broker: looked at, compared with what it needs, declared, pruned, and remembered.
//!
//! AMQP 0-9-1 can neither list queues nor tell who declared them. So everything that was declared for an app is noted on
//! the broker itself, in the queue `bus.topology`: its [`Mark`]. What the mark says and no handler wants any more is left
//! behind; what it does not say belongs to somebody else and is never touched.

mod apply;
mod declare;
mod foreign;
mod lock;
mod look;
mod mark;
mod prune;
mod recreate;
mod rename;

use std::fmt;
use std::sync::Arc;

use self::lock::Lock;
use self::look::{Look, Wanted};
use self::mark::Marks;
use crate::error::Error;
use crate::topology::diff::{Change, Sides, diff};
use crate::topology::{BindingDefinition, Definitions, DestinationType, Foreign, Plan, Renamed, Topology};
use crate::transport::Transport;

pub use self::apply::{Applied, Apply, Held};
pub use self::declare::Declare;
pub use self::mark::Mark;
pub use self::recreate::{Doomed, Recreate};

pub(crate) use self::declare::{declare, is_worth_a_note};
pub(crate) use self::rename::cut_off;

/// What an app has on a broker, from [`App::provision`](crate::App::provision).
///
/// ```no_run
/// # async fn f() -> Result<(), bus_runtime::Error> {
/// let provision = bus_runtime::app().provision().await?;
/// for change in provision.diff().await?.changes {
///     println!("{change:?}");
/// }
/// # Ok(()) }
/// ```
pub struct Provision {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) topology: Topology,
    pub(crate) foreign: Foreign,
    pub(crate) renamed: Vec<Renamed>,
    pub(crate) owner: Owner,
}

/// Who declares.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    /// Before every name that is declared.
    pub(crate) prefix: String,
    /// The app.
    pub(crate) app: String,
    /// Its version.
    pub(crate) version: Option<String>,
}

/// What differs between an app and the broker.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Drift {
    /// Everything that differs.
    pub changes: Vec<Change>,
    /// Product and version of the broker.
    pub server: String,
    /// Why bindings could not be seen; then those of others are not in `changes`, and those of this app are believed to be as
    /// they were declared.
    pub unseen: Option<String>,
}

impl Provision {
    pub(crate) fn new(transport: Arc<dyn Transport>, plan: &Plan, owner: Owner) -> Self {
        let (foreign, renamed) = (plan.foreign.clone(), plan.renamed.clone());
        Self { transport, topology: plan.topology.lasting(), foreign, renamed, owner }
    }

    /// What differs between the app and the broker. Changes nothing.
    ///
    /// # Errors
    /// What the broker says.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub async fn diff(&self) -> Result<Drift, Error> {
        let marks = self.read_marks().await?;
        let view = self.view(&marks).await?;
        Ok(self.drift(&view))
    }

    /// What [`apply`](Self::apply) with this `recreate` would delete. Changes nothing.
    ///
    /// # Errors
    /// What the broker says.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub async fn doomed(&self, recreate: Recreate) -> Result<Vec<Doomed>, Error> {
        let marks = self.read_marks().await?;
        let view = self.view(&marks).await?;
        Ok(recreate::doomed(self.sides(&view), recreate))
    }

    /// What the broker remembers of this app.
    ///
    /// # Errors
    /// What the broker says.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub async fn mark(&self) -> Result<Option<Mark>, Error> {
        Ok(self.read_marks().await?.of(&self.owner.app).cloned())
    }

    /// What carries the messages.
    #[must_use]
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.transport
    }

    /// Reads all marks and lets go of them at once.
    async fn read_marks(&self) -> Result<Marks, Error> {
        if !mark::exist(&*self.transport, &self.owner.prefix).await? {
            return Ok(Marks::default());
        }
        let lock = Lock::acquire(&self.transport, &self.owner.prefix, lock::PATIENCE).await?;
        let marks = Marks::take(&*self.transport, &self.owner.prefix).await;
        let marks = match marks {
            Ok(mut marks) => marks.give_back(&*self.transport).await.map(|()| marks),
            Err(error) => Err(error),
        };
        lock.release().await;
        marks
    }

    async fn view(&self, marks: &Marks) -> Result<View, Error> {
        let ours = marks.of(&self.owner.app).map(|mark| mark.definitions.clone()).unwrap_or_default();
        let Self { topology, foreign, renamed, .. } = self;
        let look = look::look(&*self.transport, Wanted { topology, foreign, renamed }, &ours).await?;
        let others = marks.others(&self.owner.app);
        Ok(View { wanted: Definitions::from(&self.topology), ours, others, look })
    }

    fn sides<'a>(&'a self, view: &'a View) -> Sides<'a> {
        let View { wanted, ours, others, look } = view;
        let Self { foreign, renamed, .. } = self;
        Sides { wanted, ours, others, foreign, renamed, seen: &look.seen }
    }

    fn drift(&self, view: &View) -> Drift {
        let Look { server, unseen, .. } = &view.look;
        Drift { changes: diff(self.sides(view)), server: server.clone(), unseen: unseen.clone() }
    }
}

impl fmt::Debug for Provision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provision")
            .field("transport", &self.transport)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// All sides of the comparison.
struct View {
    wanted: Definitions,
    ours: Definitions,
    others: Definitions,
    look: Look,
}

impl View {
    /// The bindings of others that would go with this, as far as they can be seen. An exchange does not go while it is bound.
    fn foreign_bindings_of(&self, doomed: &Doomed) -> impl Iterator<Item = &BindingDefinition> {
        let queue = match doomed {
            Doomed::Queue { name, .. } => Some(name.clone()),
            Doomed::Exchange { .. } => None,
        };
        let known = [&self.wanted, &self.ours];
        self.look.seen.bindings.iter().flatten().filter(move |binding| {
            binding.destination_type == DestinationType::Queue
                && queue.as_ref() == Some(&binding.destination)
                && !known.iter().any(|side| side.bindings.contains(binding))
        })
    }
}

/// Notes what a worker has declared at its start. A worker runs without the note as well.
pub(crate) async fn remember(transport: &Arc<dyn Transport>, topology: &Topology, owner: &Owner) {
    if let Err(error) = mark::remember(transport, topology, owner).await {
        tracing::warn!(
            code = error.kind().code(),
            %error,
            "what was declared is not noted in `bus.topology`: `topology diff` will not know that it is ours"
        );
    }
}
