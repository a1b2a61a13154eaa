//! The expansion `no_arguments` of `goldens.rs`.

#[allow(clippy::unused_async)]
async fn on_tick() {}
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __CALL: __bus::HandlerFn = |_delivery| {
        __bus::boxed(async move {
            let call = on_tick();
            __bus::outcome(call.await)
        })
    };
    const __REGISTRATION: __bus::HandlerRegistration = __bus::HandlerRegistration::react(
            __bus::handler_id!(on_tick),
            &["tick"],
            __CALL,
        )
        .identified_by(|| __bus::type_id_of(&on_tick))
        .located(__bus::file!(), __bus::line!(), __bus::column!());
    __bus::submit! {
        __REGISTRATION
    }
};
