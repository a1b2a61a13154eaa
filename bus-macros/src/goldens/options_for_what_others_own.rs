//! The expansion `options_for_what_others_own` of `goldens.rs`.

#[allow(clippy::unused_async)]
async fn bill() {}
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(bill);
        let call: __bus::HandlerFn = |_delivery| {
            __bus::boxed(async move {
                let future = bill();
                __bus::outcome(future.await)
            })
        };
        __bus::HandlerRegistration::react(id, &["wiki.#"], call)
            .identified_by(|| __bus::type_id_of(&bill))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
            .with_options(__bus::HandlerOptions {
                exchange: __bus::Some("events"),
                exchange_kind: __bus::Some(__bus::ExchangeKind::Topic),
                declare_never: true,
                formerly: __bus::Some("app::money::bill"),
                ..__bus::NO_OPTIONS
            })
    };
    __bus::submit! {
        __REGISTRATION
    }
};
