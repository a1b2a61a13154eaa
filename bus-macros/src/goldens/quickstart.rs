//! The expansion `quickstart` of `goldens.rs`.

#[allow(clippy::unused_async)]
async fn on_wiki(key: RoutingKey, data: Json) {
    println!("{key}: {data}");
}
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __CALL: __bus::HandlerFn = |delivery| {
        __bus::boxed(async move {
            let call = on_wiki(
                __bus::extract::<RoutingKey>(&delivery)?,
                __bus::extract::<Json>(&delivery)?,
            );
            __bus::outcome(call.await)
        })
    };
    const __REGISTRATION: __bus::HandlerRegistration = __bus::HandlerRegistration::react(
            __bus::handler_id!(on_wiki),
            &["wiki.#"],
            __CALL,
        )
        .taking(|arguments| {
            arguments.take::<RoutingKey>();
            arguments.take::<Json>();
        })
        .identified_by(|| __bus::type_id_of(&on_wiki))
        .located(__bus::file!(), __bus::line!(), __bus::column!());
    __bus::submit! {
        __REGISTRATION
    }
};
