//! The expansion `controller_by_path` of `goldens.rs`.

impl super::r#type::r#Wiki {
    #[allow(clippy::unused_async)]
    async fn r#match(&self) {}
}
const _: () = {
    #[allow(unused_imports)]
    use react as _;
};
const _: () = {
    use ::facade::bus::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!("Wiki::match");
        let call: __bus::HandlerFn = |delivery| {
            __bus::boxed(async move {
                let instance = __bus::instance::<super::r#type::r#Wiki>(&delivery)?;
                let future = super::r#type::r#Wiki::r#match(&instance);
                __bus::outcome(future.await)
            })
        };
        __bus::HandlerRegistration::react(id, &["#"], call)
            .in_group("Wiki")
            .on_instances(|| __bus::instances_of!(super::r#type::r#Wiki))
            .identified_by(|| __bus::type_id_of(&super::r#type::r#Wiki::r#match))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
    };
    __bus::submit! {
        __REGISTRATION
    }
};
const _: () = {
    #[deprecated(
        note = "makes this handler receive every message on `react`. If that is intended, add #[allow(deprecated)] to the handler, or narrow the binding key."
    )]
    #[allow(non_upper_case_globals)]
    const this_binding_key: () = ();
    this_binding_key
};
