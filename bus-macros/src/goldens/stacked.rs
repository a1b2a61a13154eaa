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
    const __CALL: __bus::HandlerFn = |delivery| {
        __bus::boxed(async move {
            let call = auditor(__bus::extract::<Json<Comment>>(&delivery)?);
            __bus::outcome::<Result<(), ForgeError>>(call.await)
        })
    };
    const __REGISTRATION: __bus::HandlerRegistration = __bus::HandlerRegistration::audit(
            __bus::handler_id!(auditor),
            &["scm.commit", "hello_forge.#"],
            __CALL,
        )
        .taking(|arguments| {
            arguments.take::<Json<Comment>>();
        })
        .identified_by(|| __bus::type_id_of(&auditor))
        .located(__bus::file!(), __bus::line!(), __bus::column!());
    __bus::submit! {
        __REGISTRATION
    }
};
