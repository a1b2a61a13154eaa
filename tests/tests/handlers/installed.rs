//! Instances of a controller as a test installs them: with a project and a mount point.

use std::sync::Arc;

use bus_runtime::prelude::*;
use bus_tests::arena::Arena;

/// All instances of a type, with the project and the mount point of each.
pub(crate) struct Installed<T>(Vec<(&'static str, &'static str, Arc<T>)>);

impl<T> Installed<T> {
    pub(crate) fn new(places: &[(&'static str, &'static str)], make: impl Fn(&'static str) -> T) -> Self {
        Self(places.iter().map(|(project, mount)| (*project, *mount, Arc::new(make(mount)))).collect())
    }

    pub(crate) fn at(&self, ctx: &Context) -> Option<Arc<T>> {
        let wanted = (ctx.project_id()?, ctx.mount_point()?);
        let found = self.0.iter().find(|(project, mount, _)| (*project, *mount) == wanted);
        found.map(|(_, _, instance)| Arc::clone(instance))
    }

    pub(crate) fn all(&self, ctx: &Context) -> Vec<Arc<T>> {
        let of_project = self.0.iter().filter(|(project, ..)| Some(*project) == ctx.project_id());
        of_project.map(|(_, _, instance)| Arc::clone(instance)).collect()
    }
}

/// Finds instances among those that the test has installed; `key` is the mount point.
macro_rules! installed {
    ($type:ident $(, $key:ident)?) => {
        impl bus_runtime::Instances for $type {
            async fn at(ctx: &Context) -> Result<Option<Arc<Self>>, BoxError> {
                Ok(ctx.state::<Installed<Self>>()?.at(ctx))
            }

            async fn all(ctx: &Context) -> Result<Vec<Arc<Self>>, BoxError> {
                Ok(ctx.state::<Installed<Self>>()?.all(ctx))
            }

            $(
                fn key(&self) -> Option<String> {
                    Some(self.$key.to_owned())
                }
            )?
        }
    };
}

/// The dead letters of the only queue of an app.
pub(crate) async fn dead_letters(
    arena: &Arena,
    bus: &bus_runtime::Bus,
    count: u64,
) -> Vec<Arc<bus_runtime::Envelope>> {
    let dead = bus.plan().queues[0].dead.trim_start_matches(arena.name("").as_str()).to_owned();
    arena.until_ready(&dead, count).await;
    arena.take(&dead).await
}
