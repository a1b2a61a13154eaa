//! The expansion `raw_name` of `goldens.rs`.

#[allow(clippy::unused_async)]
async fn r#match(r#type: String) {}
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!("match");
        let call: __bus::HandlerFn = |delivery| {
            __bus::boxed(async move {
                let future = r#match(__bus::captured::<String>(&delivery, "type")?);
                __bus::outcome(future.await)
            })
        };
        __bus::HandlerRegistration::react(id, &["wiki.{type}"], call)
            .identified_by(|| __bus::type_id_of(&r#match))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
    };
    __bus::submit! {
        __REGISTRATION
    }
};
