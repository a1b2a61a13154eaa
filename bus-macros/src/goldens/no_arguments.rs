//! The expansion `no_arguments` of `goldens.rs`.

#[allow(clippy::unused_async)]
async fn on_tick() {}
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(on_tick);
        let call: __bus::HandlerFn = |_delivery| {
            __bus::boxed(async move {
                let future = on_tick();
                __bus::outcome(future.await)
            })
        };
        __bus::HandlerRegistration::react(id, &["tick"], call)
            .identified_by(|| __bus::type_id_of(&on_tick))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
    };
    __bus::submit! {
        __REGISTRATION
    }
};
