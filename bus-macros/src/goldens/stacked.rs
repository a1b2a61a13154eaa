//! The expansion `stacked` of `goldens.rs`.

/// Watches.
#[react("scm.tag")]
#[cfg(feature = "audit")]
#[cfg_attr(test, cfg(unix), inline)]
pub(crate) async fn auditor(data: Json<Comment>) -> Result<(), ForgeError> {
    data.check()
}
#[cfg(feature = "audit")]
#[cfg_attr(test, cfg(unix))]
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(auditor);
        let call: __bus::HandlerFn = |delivery| {
            __bus::boxed(async move {
                let future = auditor(__bus::extract::<Json<Comment>>(&delivery)?);
                __bus::outcome::<Result<(), ForgeError>>(future.await)
            })
        };
        __bus::HandlerRegistration::audit(id, &["scm.commit", "hello_forge.#"], call)
            .taking(|arguments| {
                arguments.take::<Json<Comment>>();
            })
            .identified_by(|| __bus::type_id_of(&auditor))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
            .documented("Watches.")
    };
    __bus::submit! {
        __REGISTRATION
    }
};
