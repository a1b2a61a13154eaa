//! What a test lets happen instead of handlers: faults for so many calls, and stubs.

use std::any::TypeId;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Journal;
use crate::delivery::Delivery;
use crate::outcome::{HandlerError, IntoHandlerError, Outcome, Rejection};
use crate::seam;
use crate::witness::Instead;

/// What a test lets happen instead of handlers.
#[derive(Default)]
pub(super) struct Script(Mutex<Parts>);

#[derive(Default)]
struct Parts {
    faults: Vec<Planned>,
    stubs: HashMap<TypeId, Stub>,
}

struct Planned {
    handler: TypeId,
    /// For so many calls more; for all when nothing is said.
    left: Option<u32>,
    kind: Kind,
}

/// What stands in the place of a handler.
pub(super) type Stub = Arc<dyn Fn(&Delivery) -> Result<Outcome, Rejection> + Send + Sync>;

/// What goes wrong.
#[derive(Clone)]
enum Kind {
    Fails(Arc<dyn Fn() -> HandlerError + Send + Sync>),
    Panics,
    Hangs,
    Slow(Duration),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fails(_) => f.write_str("fail"),
            Self::Panics => f.write_str("panic"),
            Self::Hangs => f.write_str("hang"),
            Self::Slow(time) => write!(f, "take {time:?} longer"),
        }
    }
}

/// What happens instead of one call.
pub(super) struct Act {
    pub(super) instead: Instead,
    /// What it is, when it is a fault.
    pub(super) fault: Option<String>,
}

impl Script {
    pub(super) fn stub(&self, handler: TypeId, stub: Stub) {
        self.lock().stubs.insert(handler, stub);
    }

    /// What happens instead of this call: the first fault that is not used up, and then the stub.
    pub(super) fn act(&self, handler: TypeId, delivery: &Delivery) -> Option<Act> {
        let mut parts = self.lock();
        let planned = parts.faults.iter_mut().find(|fault| fault.handler == handler && fault.left != Some(0));
        let kind = planned.map(|planned| {
            planned.left = planned.left.map(|left| left - 1);
            planned.kind.clone()
        });
        let stub = parts.stubs.get(&handler).cloned();
        if kind.is_none() && stub.is_none() {
            return None;
        }
        let fault = kind.as_ref().map(ToString::to_string);
        let delivery = delivery.clone();
        let instead = Box::pin(async move {
            match kind {
                Some(Kind::Fails(error)) => return Some(Ok(Outcome::Failed(error()))),
                Some(Kind::Panics) => panic!("the test lets it panic"),
                Some(Kind::Hangs) => std::future::pending::<()>().await,
                Some(Kind::Slow(time)) => seam::sleep(time).await,
                None => {}
            }
            stub.map(|stub| stub(&delivery))
        });
        Some(Act { instead, fault })
    }

    fn lock(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fault of a handler, from [`HandlerProbe::fails_with`](super::HandlerProbe::fails_with) and its kin. It holds for every call
/// from now on, unless [`times`](Self::times) says for how many.
#[derive(Clone)]
pub struct HandlerFault {
    journal: Arc<Journal>,
    number: usize,
}

impl HandlerFault {
    /// Plans a fault behind those that are planned already.
    fn plan(journal: &Arc<Journal>, handler: TypeId, kind: Kind) -> Self {
        let mut parts = journal.script().lock();
        parts.faults.push(Planned { handler, left: None, kind });
        Self { journal: Arc::clone(journal), number: parts.faults.len() - 1 }
    }

    pub(super) fn fails<E: IntoHandlerError + Clone + Send + Sync + 'static>(
        journal: &Arc<Journal>,
        handler: TypeId,
        error: E,
    ) -> Self {
        let error = Arc::new(move || error.clone().into_handler_error());
        Self::plan(journal, handler, Kind::Fails(error))
    }

    pub(super) fn panics(journal: &Arc<Journal>, handler: TypeId) -> Self {
        Self::plan(journal, handler, Kind::Panics)
    }

    pub(super) fn hangs(journal: &Arc<Journal>, handler: TypeId) -> Self {
        Self::plan(journal, handler, Kind::Hangs)
    }

    pub(super) fn slow(journal: &Arc<Journal>, handler: TypeId, time: Duration) -> Self {
        Self::plan(journal, handler, Kind::Slow(time))
    }

    /// For so many calls, then no more. Faults that are planned one after another happen one after another.
    pub fn times(self, calls: u32) -> Self {
        self.leave(Some(calls));
        self
    }

    /// No more from now on.
    pub fn end(&self) {
        self.leave(Some(0));
    }

    fn leave(&self, calls: Option<u32>) {
        if let Some(fault) = self.journal.script().lock().faults.get_mut(self.number) {
            fault.left = calls;
        }
    }
}

impl fmt::Debug for HandlerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerFault").field("number", &self.number).finish_non_exhaustive()
    }
}
