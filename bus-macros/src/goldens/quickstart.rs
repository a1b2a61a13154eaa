//! The expansion `quickstart` of `goldens.rs`.

#[allow(clippy::unused_async)]
async fn on_wiki(key: RoutingKey, data: Json) {
    println!("{key}: {data}");
}
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(on_wiki);
        let call: __bus::HandlerFn = |delivery| {
            __bus::boxed(async move {
                let future = on_wiki(
                    __bus::extract::<RoutingKey>(&delivery)?,
                    __bus::extract::<Json>(&delivery)?,
                );
                __bus::outcome(future.await)
            })
        };
        __bus::HandlerRegistration::react(id, &["wiki.#"], call)
            .taking(|arguments| {
                arguments.take::<RoutingKey>();
                arguments.take::<Json>();
            })
            .identified_by(|| __bus::type_id_of(&on_wiki))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
    };
    __bus::submit! {
        __REGISTRATION
    }
};
