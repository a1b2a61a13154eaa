//! What the app was given, as an argument.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use super::{Arguments, FromDelivery};
use crate::delivery::Delivery;
use crate::outcome::{DeadLetterReason, Rejection};

/// A value that was given to [`App::state`](crate::App::state): a pool, a client, a configuration.
///
/// A handler that takes one which was never given is an error at start-up.
pub struct State<T>(pub Arc<T>);

impl<T> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Clone for State<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: fmt::Debug> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").field(&self.0).finish()
    }
}

impl<T: Send + Sync + 'static> FromDelivery for State<T> {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        delivery.scope().state::<T>().map(State).ok_or_else(|| {
            let message = format!("the app has no state of type {}", type_name::<T>());
            Rejection::absent(DeadLetterReason::Missing, message)
        })
    }

    fn describe(arguments: &mut Arguments) {
        arguments.needs_state::<T>();
    }
}

/// One value per type; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct StateMap(Arc<HashMap<TypeId, Arc<dyn Any + Send + Sync>, ByType>>);

type ByType = BuildHasherDefault<TypeHasher>;

/// Takes the identity of a type as it is: it is a hash already.
#[derive(Default)]
struct TypeHasher(u64);

impl Hasher for TypeHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 ^= number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl StateMap {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        Arc::make_mut(&mut self.0).insert(TypeId::of::<T>(), Arc::new(value));
    }

    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.any(TypeId::of::<T>()).and_then(|value| value.downcast().ok())
    }

    /// The value of this type, whatever it is.
    pub(crate) fn any(&self, id: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        self.0.get(&id).cloned()
    }

    pub(crate) fn holds(&self, id: TypeId) -> bool {
        self.0.contains_key(&id)
    }
}

impl fmt::Debug for StateMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateMap({} values)", self.0.len())
    }
}
