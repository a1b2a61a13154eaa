//! The expansion `controller_of_instances` of `goldens.rs`.

/// The wiki.
#[cfg(feature = "wiki")]
impl Wiki {
    #![allow(dead_code)]
    const PAGES_MAX: usize = { 7 };
    #[allow(clippy::unused_async)]
    /// Saves.
    async fn save(&self, page: Page, data: Json<Edit>) -> Result<(), Error> {
        self.pages.save(page, data)
    }
    #[allow(clippy::unused_async)]
    async fn index(self: std::sync::Arc<Self>) {}
    #[allow(clippy::needless_pass_by_value)]
    fn ticket(&self, ticket: SaveTicket) {}
    #[allow(clippy::unused_async)]
    #[cfg_attr(unix, inline)]
    pub async fn once(kept: Json<Vec<Self>>) -> Result<(), <Self as Fails>::Error> {
        Ok(())
    }
    fn helper(&self) -> usize {
        Self::PAGES_MAX
    }
}
#[cfg(feature = "wiki")]
const _: () = {
    #[allow(unused_imports)]
    use audit as _;
    #[allow(unused_imports)]
    use react as _;
    #[allow(unused_imports)]
    use bus::react as _;
    #[allow(unused_imports)]
    use message_handler as _;
    #[cfg(unix)]
    #[allow(unused_imports)]
    use react as _;
};
#[cfg(feature = "wiki")]
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(Wiki::save);
        let call: __bus::HandlerFn = |delivery| {
            __bus::boxed(async move {
                let instance = __bus::instance::<Wiki>(&delivery)?;
                let future = Wiki::save(
                    &instance,
                    __bus::captured::<Page>(&delivery, "page")?,
                    __bus::extract::<Json<Edit>>(&delivery)?,
                );
                __bus::outcome::<Result<(), Error>>(future.await)
            })
        };
        __bus::HandlerRegistration::audit(id, &["wiki.{page}.save"], call)
            .in_group("wiki")
            .on_instances(|| __bus::instances_of!(Wiki))
            .taking(|arguments| {
                arguments.take::<Json<Edit>>();
            })
            .identified_by(|| __bus::type_id_of(&Wiki::save))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
            .documented("The wiki.\nSaves.")
    };
    __bus::submit! {
        __REGISTRATION
    }
};
#[cfg(feature = "wiki")]
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(Wiki::index);
        let call: __bus::HandlerFn = |delivery| {
            __bus::boxed(async move {
                let instance = __bus::instance::<Wiki>(&delivery)?;
                let future = Wiki::index(instance);
                __bus::outcome(future.await)
            })
        };
        __bus::HandlerRegistration::react(id, &["scm.#"], call)
            .in_group("wiki")
            .on_instances(|| __bus::instances_of!(Wiki))
            .identified_by(|| __bus::type_id_of(&Wiki::index))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
            .documented("The wiki.")
            .with_options(__bus::HandlerOptions {
                group: __bus::Some("own"),
                ..__bus::NO_OPTIONS
            })
    };
    __bus::submit! {
        __REGISTRATION
    }
};
#[cfg(feature = "wiki")]
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(Wiki::index);
        let call: __bus::HandlerFn = |delivery| {
            __bus::boxed(async move {
                let instance = __bus::instance::<Wiki>(&delivery)?;
                let future = Wiki::index(instance);
                __bus::outcome(future.await)
            })
        };
        __bus::HandlerRegistration::react(id, &["git.#"], call)
            .in_group("wiki")
            .on_instances(|| __bus::instances_of!(Wiki))
            .identified_by(|| __bus::type_id_of(&Wiki::index))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
            .documented("The wiki.")
    };
    __bus::submit! {
        __REGISTRATION
    }
};
#[cfg(feature = "wiki")]
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(Wiki::index);
        let call: __bus::HandlerFn = |delivery| {
            __bus::boxed(async move {
                let instance = __bus::instance::<Wiki>(&delivery)?;
                let future = Wiki::index(instance);
                __bus::outcome(future.await)
            })
        };
        __bus::HandlerRegistration::audit(id, &["scm.#"], call)
            .in_group("wiki")
            .on_instances(|| __bus::instances_of!(Wiki))
            .identified_by(|| __bus::type_id_of(&Wiki::index))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
            .documented("The wiki.")
    };
    __bus::submit! {
        __REGISTRATION
    }
};
#[cfg(feature = "wiki")]
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(Wiki::ticket);
        let call: __bus::HandlerFn = |delivery| {
            __bus::boxed(async move {
                let instance = __bus::instance::<Wiki>(&delivery)?;
                let argument_1 = __bus::extract::<SaveTicket>(&delivery)?;
                let future = __bus::blocking(
                    &delivery,
                    move || Wiki::ticket(&instance, argument_1),
                );
                __bus::outcome_of::<SaveTicket, _>(future.await)
            })
        };
        __bus::HandlerRegistration::message::<SaveTicket>(id, call)
            .in_group("wiki")
            .on_instances(|| __bus::instances_of!(Wiki))
            .taking(|arguments| {
                arguments.take::<SaveTicket>();
            })
            .identified_by(|| __bus::type_id_of(&Wiki::ticket))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
            .documented("The wiki.")
    };
    __bus::submit! {
        __REGISTRATION
    }
};
#[cfg(feature = "wiki")]
#[cfg(unix)]
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(Wiki::once);
        let call: __bus::HandlerFn = |delivery| {
            __bus::boxed(async move {
                let future = Wiki::once(__bus::extract::<Json<Vec<Wiki>>>(&delivery)?);
                __bus::outcome::<Result<(), <Wiki as Fails>::Error>>(future.await)
            })
        };
        __bus::HandlerRegistration::react(id, &["unix.#"], call)
            .in_group("wiki")
            .taking(|arguments| {
                arguments.take::<Json<Vec<Wiki>>>();
            })
            .identified_by(|| __bus::type_id_of(&Wiki::once))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
            .documented("The wiki.")
            .with_options(__bus::HandlerOptions {
                timeout: __bus::Some(
                    __bus::Timeout::After(__bus::Duration::from_secs(3)),
                ),
                ..__bus::NO_OPTIONS
            })
    };
    __bus::submit! {
        __REGISTRATION
    }
};
