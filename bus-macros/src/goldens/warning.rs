//! The expansion `warning` of `goldens.rs`.

#[allow(clippy::unused_async)]
#[allow(dead_code, deprecated)]
async fn everything() {}
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(everything);
        let call: __bus::HandlerFn = |_delivery| {
            __bus::boxed(async move {
                let future = everything();
                __bus::outcome(future.await)
            })
        };
        __bus::HandlerRegistration::react(id, &["#"], call)
            .identified_by(|| __bus::type_id_of(&everything))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
    };
    __bus::submit! {
        __REGISTRATION
    }
};
#[allow(dead_code, deprecated)]
const _: () = {
    #[deprecated(
        note = "makes this handler receive every message on `react`. If that is intended, add #[allow(deprecated)] to the handler, or narrow the binding key."
    )]
    #[allow(non_upper_case_globals)]
    const this_binding_key: () = ();
    this_binding_key
};
