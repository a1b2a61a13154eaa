//! The calls of a method for one message: which instances it is for, and each of them on its own.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::{FutureExt, StreamExt, stream};
use tokio::sync::Mutex;
use tracing::Span;

use super::call::{Call, Judged, judge, run_call};
use super::member::Stack;
use crate::arrival::Arrival;
use crate::counters::Counters;
use crate::delivery::Delivery;
use crate::extract::Context;
use crate::hub::Hub;
use crate::instances::{Instance, InstanceFinder, Which};
use crate::message::MessageKind;
use crate::middleware::panicked;
use crate::outcome::{DeadLetterReason, HandlerError, Outcome};
use crate::registration::judged;
use crate::right::Right;
use crate::scope::Scope;
use crate::topology::{HandlerEntry, HandlerKind};

/// A method that a message is for; the instances are not found yet.
pub(super) struct InstanceCalls {
    pub(super) entry: Arc<HandlerEntry>,
    pub(super) counters: Arc<Counters>,
    pub(super) finder: InstanceFinder,
    /// The layers are those of the handler: its instances take turns in asking whether they are ready.
    pub(super) stack: Arc<Mutex<Stack>>,
    /// How many commands of this process wait for it.
    pub(super) depth: u16,
    pub(super) right: Arc<Right>,
}

impl InstanceCalls {
    /// Calls the method for each instance that the message is for, side by side but no more than the handler's concurrency.
    /// `None` as for [`run_call`].
    pub(super) async fn run(self, hub: &Arc<Hub>, arrival: &Arrival) -> Option<Vec<Judged>> {
        let which = which(self.entry.kind);
        let context = Context::of(&arrival.metadata.envelope).with_state(&hub.state);
        if which == Which::All && context.project_id().is_none() && !self.finder.is_given() {
            self.counters.no_context.add_one();
            return Some(Vec::new());
        }
        let nobody = self.nobody(which, &context, arrival);
        let instances = match self.find(hub, which, context).await {
            Ok(found) => chosen(found, which, arrival),
            Err(error) => {
                return Some(vec![self.without_instance(arrival, judged(Outcome::Failed(error)))]);
            }
        };
        match nobody {
            Some(outcome) if instances.is_empty() => Some(vec![self.without_instance(arrival, outcome)]),
            _ => {
                // In the place of the one call that the method was until now.
                self.right.needed_by(instances.len().saturating_sub(1));
                let side_by_side = usize::from(self.entry.concurrency);
                let calls = instances.into_iter().enumerate();
                let calls = calls.map(|(position, instance)| self.call(hub, arrival, position, instance));
                let judged: Vec<_> = stream::iter(calls).buffer_unordered(side_by_side).collect().await;
                judged.into_iter().collect()
            }
        }
    }

    /// Looks for the instances, for no longer than a call may take.
    async fn find(&self, hub: &Hub, which: Which, context: Context) -> Result<Vec<Instance>, HandlerError> {
        let finding = AssertUnwindSafe(self.finder.find(which, context, &hub.instances)).catch_unwind();
        let found = match self.entry.timeout {
            Some(timeout) => {
                tokio::time::timeout(timeout, finding).await.map_err(|_| HandlerError::timeout(timeout))?
            }
            None => finding.await,
        };
        match found {
            Ok(found) => found.map_err(HandlerError::new),
            Err(panic) => Err(panicked(panic.as_ref())),
        }
    }

    async fn call(
        &self,
        hub: &Arc<Hub>,
        arrival: &Arrival,
        position: usize,
        instance: Instance,
    ) -> Option<Judged> {
        let metadata = arrival.metadata.clone();
        let key = instance.key.clone();
        let scope =
            Scope::new(Arc::clone(hub), Arc::clone(&self.entry), metadata.clone(), Arc::clone(&self.right));
        let scope = Arc::new(scope.for_instance(instance, position).nested(self.depth));
        let future = {
            let mut stack = self.stack.lock().await;
            stack.ready().await;
            stack.call(Delivery::new(metadata, Arc::clone(&scope)))
        };
        let (entry, counters) = (Arc::clone(&self.entry), Arc::clone(&self.counters));
        run_call(hub, arrival, Call { entry, counters, scope, future, instance: key }).await
    }

    /// What it means that there is no instance; nothing when that is as well.
    fn nobody(&self, which: Which, context: &Context, arrival: &Arrival) -> Option<Outcome> {
        let name = self.finder.type_name.rsplit("::").next().unwrap_or_default();
        let project = context.project_id().unwrap_or("(none)");
        let text = match (which, &arrival.instance) {
            (Which::All, None) => return None,
            (Which::All, Some(key)) => format!("there is no {name} `{key}` in project {project} any more"),
            (Which::Addressed, _) => {
                let mount_point = context.mount_point().unwrap_or("(none)");
                format!("there is no {name} at project {project}, mount point {mount_point}")
            }
        };
        Some(Outcome::DeadLetter(DeadLetterReason::NoInstance, text))
    }

    fn without_instance(&self, arrival: &Arrival, outcome: Outcome) -> Judged {
        let (entry, counters) = (Arc::clone(&self.entry), Arc::clone(&self.counters));
        let instance = arrival.instance.clone();
        let judged = Judged {
            entry,
            counters,
            outcome,
            instance,
            acknowledged: false,
            stuck: None,
            span: Span::none(),
            took: None,
        };
        judge(arrival, judged)
    }
}

/// Imperative messages are for one instance, advisory ones for all of the project.
fn which(kind: HandlerKind) -> Which {
    match kind {
        HandlerKind::Audit | HandlerKind::Message(MessageKind::Task | MessageKind::Command) => {
            Which::Addressed
        }
        HandlerKind::React | HandlerKind::Message(MessageKind::Event) => Which::All,
    }
}

/// Of all instances the one that failed, when this is the message's next attempt for it.
fn chosen(mut found: Vec<Instance>, which: Which, arrival: &Arrival) -> Vec<Instance> {
    if let (Which::All, Some(failed)) = (which, &arrival.instance) {
        found.retain(|instance| instance.key.as_ref() == Some(failed));
    }
    found
}
