//! The instances of controllers that an app is given, and whether each is wanted.

use std::any::{TypeId, type_name};
use std::fmt;

use super::Registrations;
use crate::error::{Error, ErrorKind, Place};
use crate::extract::StateMap;
use crate::instances::InstanceFinder;
use crate::registration::HandlerRegistration;
use crate::topology::Plan;

/// The instances that an app is given: at most one of each type.
#[derive(Default)]
pub(super) struct GivenInstances {
    values: StateMap,
    types: Vec<(TypeId, &'static str)>,
}

impl GivenInstances {
    pub(super) fn insert<T: Send + Sync + 'static>(&mut self, instance: T) {
        self.values.insert(instance);
        self.types.push((TypeId::of::<T>(), type_name::<T>()));
    }

    pub(super) fn values(&self) -> StateMap {
        self.values.clone()
    }

    /// Every method that is called has instances, and every instance has methods.
    pub(super) fn check(&self, plan: &Plan, all: &Registrations) -> Result<(), Error> {
        for entry in &plan.handlers {
            let missing =
                entry.instances.filter(|finder| finder.is_given() && !self.values.holds(finder.type_id));
            if let Some(finder) = missing {
                return Err(no_instance(&entry.name, finder.type_name, entry.place));
            }
        }
        for (index, (id, name)) in self.types.iter().enumerate() {
            if self.types[..index].iter().any(|(earlier, _)| earlier == id) {
                return Err(given_twice(name));
            }
            match all.method_of(*id) {
                None => return Err(unused(name)),
                Some((finder, place)) if !finder.is_given() => return Err(found_and_given(name, place)),
                Some(_) => {}
            }
        }
        Ok(())
    }
}

impl Registrations {
    /// A handler that is a method of this type.
    fn method_of(&self, id: TypeId) -> Option<(InstanceFinder, Place)> {
        let of_type = |registration: &HandlerRegistration| {
            let finder = registration.instances?();
            (finder.type_id == id).then_some((finder, registration.place))
        };
        match self {
            Self::Linked => HandlerRegistration::linked().find_map(of_type),
            Self::Explicit(registrations) => registrations.iter().find_map(of_type),
        }
    }
}

fn no_instance(handler: &str, name: &str, place: Place) -> Error {
    Error::new(ErrorKind::Instance, format!("{handler} takes `&self`, and there is no instance of {name}"))
        .with_place(place, "this method")
        .with_help(format!(
            "say how they are found, with `impl Instances for {name}`, or give the app the only one there is: \
             bus_runtime::app().instance({name} {{ .. }})"
        ))
}

fn given_twice(name: &str) -> Error {
    Error::new(ErrorKind::Instance, format!("the app is given two instances of {name}")).with_help(format!(
        "`.instance(..)` is for the only one there is; several need `impl Instances for {name}`"
    ))
}

fn found_and_given(name: &str, place: Place) -> Error {
    Error::new(
        ErrorKind::Instance,
        format!("the app is given an instance of {name}, which finds its instances itself"),
    )
    .with_place(place, "this method is called for those that `Instances` finds")
    .with_help(format!("leave out `.instance(..)`, or `impl Instances for {name}`"))
}

fn unused(name: &str) -> Error {
    Error::new(ErrorKind::Instance, format!("the app is given an instance of {name}, and no handler is a method of it"))
        .with_help(
            "put #[controller] on the impl block with the methods; if it has it, the crate is not linked: name it in \
             bus_runtime::link!(..)",
        )
}

impl fmt::Debug for GivenInstances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.types.iter().map(|(_, name)| name)).finish()
    }
}
