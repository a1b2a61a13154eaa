//! The expansion `raw_name` of `goldens.rs`.

#[allow(clippy::unused_async)]
async fn r#match(r#type: String) {}
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __CALL: __bus::HandlerFn = |delivery| {
        __bus::boxed(async move {
            let call = r#match(__bus::captured::<String>(&delivery, "type")?);
            __bus::outcome(call.await)
        })
    };
    const __REGISTRATION: __bus::HandlerRegistration = __bus::HandlerRegistration::react(
            __bus::handler_id!("match"),
            &["wiki.{type}"],
            __CALL,
        )
        .identified_by(|| __bus::type_id_of(&r#match))
        .located(__bus::file!(), __bus::line!(), __bus::column!());
    __bus::submit! {
        __REGISTRATION
    }
};
