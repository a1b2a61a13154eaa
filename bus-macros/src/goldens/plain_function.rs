//! The expansion `plain_function` of `goldens.rs`.

#[allow(clippy::needless_pass_by_value)]
fn resize(key: RoutingKey, Json(image): Json<Image>) -> Result<(), String> {
    image.resize(key)
}
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(resize);
        let call: __bus::HandlerFn = |delivery| {
            __bus::boxed(async move {
                let argument_1 = __bus::extract::<RoutingKey>(&delivery)?;
                let argument_2 = __bus::extract::<Json<Image>>(&delivery)?;
                let future = __bus::blocking(
                    &delivery,
                    move || resize(argument_1, argument_2),
                );
                __bus::outcome::<Result<(), String>>(future.await)
            })
        };
        __bus::HandlerRegistration::react(id, &["image.*"], call)
            .taking(|arguments| {
                arguments.take::<RoutingKey>();
                arguments.take::<Json<Image>>();
            })
            .identified_by(|| __bus::type_id_of(&resize))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
    };
    __bus::submit! {
        __REGISTRATION
    }
};
