//! Code around the handlers: any `tower::Layer`, layers of one function, and the layers that every handler has.
//!
//! A layer wraps a service that takes a [`Delivery`] and answers an [`Outcome`]. [`App::layer`](crate::App::layer) puts it around
//! every handler, [`App::layer_for`](crate::App::layer_for) around those of a group, [`App::layer_on`](crate::App::layer_on) around
//! those with a name. The first that is added is the outermost, whichever of the three it was; the handler's timeout and the catching
//! of its panics are inside of all of them. [`from_fn`] makes a layer of one async function.
//!
//! Layers of `tower` that hold back messages, such as `RateLimit` and `ConcurrencyLimit`, hold them back in the broker: a worker takes
//! a message when the layers of its handler are ready. An error of a layer, such as that of `LoadShed` or `Timeout`, is a failure of
//! the handler, which its `on_error` decides about. Each handler has layers of its own; what they are to share they share by an `Arc`.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use crate::counters::Counters;
use crate::delivery::Delivery;
use crate::error::BoxError;
use crate::outcome::Outcome;
use crate::registration::{Callee, HandlerCall};
use crate::topology::{BatchEntry, HandlerEntry, glob};
use crate::transport::BoxFuture;

mod batch;
mod from_fn;
mod guard;
mod panics;
mod ready_made;

pub use from_fn::{FromFn, FromFnService, Next, from_fn};
pub use ready_made::{ReadyMade, Running, logging, timing, validation};

#[cfg(any(feature = "cli", feature = "conformance"))]
pub(crate) use panics::panic_text;
pub(crate) use panics::{carrying_place, note_places, panicked};

use batch::Gatherer;

/// A handler with the layers around it: what a layer of [`App::layer`](crate::App::layer) wraps.
pub struct HandlerService(Box<dyn BoxedService>);

trait BoxedService: Send {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>>;
    fn call(&mut self, delivery: Delivery) -> BoxFuture<'static, Result<Outcome, BoxError>>;
}

impl HandlerService {
    /// The handler itself, with its timeout and its panics caught.
    pub(crate) fn of(entry: &Arc<HandlerEntry>, counters: &Arc<Counters>) -> Self {
        let (linked, batch) = match &entry.callee {
            Callee::Linked(call) => (*call, entry.batch),
            Callee::Given(closure) => {
                return Self(Box::new(Innermost(Arc::clone(entry), closure.clone())));
            }
        };
        match (linked, batch) {
            (HandlerCall::Many(item, call), Some(BatchEntry { size, wait })) => {
                let functions = batch::Functions { item, call };
                Self(Box::new(InBatches(Gatherer::new(entry, counters, functions, usize::from(size), wait))))
            }
            (HandlerCall::One(call), _) => Self(Box::new(Innermost(Arc::clone(entry), call))),
            (HandlerCall::Many(..), None) => unreachable!("the plan refuses it"),
        }
    }

    fn wrap<S>(service: S) -> Self
    where
        S: Service<Delivery, Response = Outcome> + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        Self(Box::new(Wrapped(service)))
    }
}

impl Service<Delivery> for HandlerService {
    type Response = Outcome;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Outcome, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, delivery: Delivery) -> Self::Future {
        self.0.call(delivery)
    }
}

impl fmt::Debug for HandlerService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HandlerService")
    }
}

struct Innermost<F>(Arc<HandlerEntry>, F);

impl<F: guard::Callable> BoxedService for Innermost<F> {
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> BoxFuture<'static, Result<Outcome, BoxError>> {
        Box::pin(guard::guarded(Arc::clone(&self.0), self.1.clone(), delivery))
    }
}

struct InBatches(Arc<Gatherer>);

impl BoxedService for InBatches {
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, delivery: Delivery) -> BoxFuture<'static, Result<Outcome, BoxError>> {
        Box::pin(Arc::clone(&self.0).handle(delivery))
    }
}

struct Wrapped<S>(S);

impl<S> BoxedService for Wrapped<S>
where
    S: Service<Delivery, Response = Outcome> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, delivery: Delivery) -> BoxFuture<'static, Result<Outcome, BoxError>> {
        let called = self.0.call(delivery);
        Box::pin(async move { called.await.map_err(Into::into) })
    }
}

/// The layers of an app, outermost first.
#[derive(Clone, Default)]
pub(crate) struct Layers(Vec<(Around, Wrap)>);

type Wrap = Arc<dyn Fn(HandlerService) -> HandlerService + Send + Sync>;

/// Which handlers a layer is around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Around {
    /// All of them.
    All,
    /// Those of a group.
    Group(String),
    /// Those whose name matches a glob.
    Named(String),
}

impl Around {
    fn holds(&self, entry: &HandlerEntry) -> bool {
        match self {
            Self::All => true,
            Self::Group(group) => *group == entry.group,
            Self::Named(glob) => glob::matches(glob, &entry.name),
        }
    }
}

impl Layers {
    /// Adds a layer inside of those that are there.
    pub(crate) fn push<L>(&mut self, around: Around, layer: L)
    where
        L: Layer<HandlerService> + Send + Sync + 'static,
        L::Service: Service<Delivery, Response = Outcome> + Send + 'static,
        <L::Service as Service<Delivery>>::Error: Into<BoxError>,
        <L::Service as Service<Delivery>>::Future: Send + 'static,
    {
        self.0.push((around, Arc::new(move |inner| HandlerService::wrap(layer.layer(inner)))));
    }

    /// A handler with all layers around it that are meant for it.
    pub(crate) fn around(&self, entry: &Arc<HandlerEntry>, counters: &Arc<Counters>) -> HandlerService {
        let own = self.0.iter().rev().filter(|(around, _)| around.holds(entry));
        own.fold(HandlerService::of(entry, counters), |inner, (_, layer)| layer(inner))
    }

    /// Whether there are layers that are not around every handler.
    pub(crate) fn are_for_some(&self) -> bool {
        self.0.iter().any(|(around, _)| *around != Around::All)
    }

    /// The first group or glob that no handler has.
    pub(crate) fn of_nobody(&self, handlers: &[Arc<HandlerEntry>]) -> Option<&Around> {
        let mut named = self.0.iter().map(|(around, _)| around).filter(|around| **around != Around::All);
        named.find(|around| !handlers.iter().any(|entry| around.holds(entry)))
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Layers({})", self.0.len())
    }
}
