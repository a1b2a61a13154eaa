//! The expansion `options_in_other_words` of `goldens.rs`.

#[allow(clippy::unused_async)]
async fn bill() -> Result<Outcome, BillError> {}
const _: () = {
    use ::facade::bus::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(bill);
        let call: __bus::HandlerFn = |_delivery| {
            __bus::boxed(async move {
                let future = bill();
                __bus::outcome::<Result<Outcome, BillError>>(future.await)
            })
        };
        __bus::HandlerRegistration::react(id, &["wiki.#"], call)
            .identified_by(|| __bus::type_id_of(&bill))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
            .with_options(__bus::HandlerOptions {
                timeout: __bus::Some(__bus::Timeout::Never),
                retry: __bus::Some(__bus::RetryOptions {
                    max: __bus::Some(0),
                    ..__bus::NO_RETRY_OPTIONS
                }),
                on_error: __bus::Some(__bus::OnError::DeadLetter),
                error_hook: __bus::Some(report),
                ack: __bus::Some(__bus::AckMode::Manual),
                fanout_each: true,
                ..__bus::NO_OPTIONS
            })
    };
    __bus::submit! {
        __REGISTRATION
    }
};
