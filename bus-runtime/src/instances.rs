//! The instances of an application class: for which of them a method of a `#[controller]` is called.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::delivery::Delivery;
use crate::error::BoxError;
use crate::extract::{Context, StateMap};
use crate::outcome::{DeadLetterReason, Rejection};
use crate::transport::BoxFuture;

/// How the instances of an application are found: one wiki per project and mount point, and all wikis of a project.
///
/// The methods of a [`#[controller]`](macro@crate::controller) that take `&self` need it, unless the app is given the only
/// instance there is: [`App::instance`](crate::App::instance).
///
/// ```
/// use std::sync::Arc;
/// use bus_runtime::prelude::*;
///
/// struct Wiki {
///     mount_point: String,
/// }
///
/// struct Wikis {
///     all: Vec<Arc<Wiki>>,
/// }
///
/// #[controller("wiki")]
/// impl Wiki {
///     /// Called for the wiki that the message is meant for.
///     #[audit("wiki.#")]
///     async fn auditor(&self, key: RoutingKey) {
///         println!("{}: {key}", self.mount_point);
///     }
///
///     /// Called for each wiki of the project.
///     #[react("scm.#")]
///     async fn reactor(&self, key: RoutingKey) {}
/// }
///
/// impl Instances for Wiki {
///     async fn at(ctx: &Context) -> Result<Option<Arc<Self>>, BoxError> {
///         let wikis = ctx.state::<Wikis>()?;
///         let mut all = wikis.all.iter();
///         Ok(all.find(|wiki| Some(&*wiki.mount_point) == ctx.mount_point()).cloned())
///     }
///
///     async fn all(ctx: &Context) -> Result<Vec<Arc<Self>>, BoxError> {
///         Ok(ctx.state::<Wikis>()?.all.clone())
///     }
///
///     fn key(&self) -> Option<String> {
///         Some(self.mount_point.clone())
///     }
/// }
/// ```
pub trait Instances: Send + Sync + Sized + 'static {
    /// The instance that a message is meant for: the one at [`project_id`](Context::project_id) and
    /// [`mount_point`](Context::mount_point). `None` sends the message to the dead letters, with the reason `no_instance`.
    ///
    /// Called for `#[audit]` and for `#[message_handler]` of a task or a command, also when the message names no project.
    ///
    /// # Errors
    /// An error is a failed attempt of the handler, as is a panic; the handler's timeout holds here too.
    fn at(context: &Context) -> impl Future<Output = Result<Option<Arc<Self>>, BoxError>> + Send;

    /// All instances of the project that a message is from. With none, the message is acknowledged.
    ///
    /// Called for `#[react]` and for `#[message_handler]` of an event, unless the message names no project: then it is
    /// acknowledged and counted as [`no_context`](crate::HandlerStats::no_context).
    ///
    /// # Errors
    /// As for [`at`](Self::at).
    fn all(context: &Context) -> impl Future<Output = Result<Vec<Arc<Self>>, BoxError>> + Send;

    /// What tells the instance from the others of its project, such as its mount point: when it fails, only this instance is
    /// called again. With `None`, which is the default, the message is tried again for all instances.
    fn key(&self) -> Option<String> {
        None
    }
}

/// Which instances a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The one that it is meant for.
    Addressed,
    /// Each one of the project.
    All,
}

/// An instance, whatever its type.
#[derive(Clone)]
pub(crate) struct Instance {
    value: Arc<dyn Any + Send + Sync>,
    /// What tells it from the others.
    pub(crate) key: Option<String>,
}

/// How the instances of one type are found.
#[derive(Clone, Copy, Debug)]
pub struct InstanceFinder {
    pub(crate) type_id: TypeId,
    pub(crate) type_name: &'static str,
    /// Nothing when the app is to be given the one that there is.
    find: Option<Find>,
}

type Find = fn(Which, Context) -> BoxFuture<'static, Result<Vec<Instance>, BoxError>>;

impl InstanceFinder {
    /// The type finds its instances itself.
    pub(crate) fn by_type<T: Instances>() -> Self {
        Self { find: Some(find::<T>), ..Self::given::<T>() }
    }

    /// The app is given the instance.
    pub(crate) fn given<T: 'static>() -> Self {
        Self { type_id: TypeId::of::<T>(), type_name: type_name::<T>(), find: None }
    }

    /// Whether the instance is the one that the app is given.
    pub(crate) fn is_given(&self) -> bool {
        self.find.is_none()
    }

    /// The instances that a message with this context is for; `given` are those that the app was given.
    pub(crate) async fn find(
        &self,
        which: Which,
        context: Context,
        given: &StateMap,
    ) -> Result<Vec<Instance>, BoxError> {
        match self.find {
            Some(find) => find(which, context).await,
            None => {
                Ok(given.any(self.type_id).map(|value| Instance { value, key: None }).into_iter().collect())
            }
        }
    }
}

fn find<T: Instances>(which: Which, context: Context) -> BoxFuture<'static, Result<Vec<Instance>, BoxError>> {
    Box::pin(async move {
        Ok(match which {
            Which::Addressed => T::at(&context).await?.into_iter().map(Instance::of).collect(),
            Which::All => T::all(&context).await?.into_iter().map(Instance::of).collect(),
        })
    })
}

impl Instance {
    fn of<T: Instances>(value: Arc<T>) -> Self {
        Self { key: value.key(), value }
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Instance").field(&self.key).finish()
    }
}

/// The instance that a method is called for.
pub(crate) fn instance<T: Send + Sync + 'static>(delivery: &Delivery) -> Result<Arc<T>, Rejection> {
    let value = delivery.scope().instance().map(|instance| Arc::clone(&instance.value));
    value.and_then(|value| value.downcast().ok()).ok_or_else(|| {
        Rejection::new(DeadLetterReason::NoInstance, format!("called without a {}", type_name::<T>()))
    })
}
