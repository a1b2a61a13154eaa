//! The expansion `plain_batch` of `goldens.rs`.

#[allow(clippy::needless_pass_by_value)]
fn count(views: Batch<Viewed>) {}
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(count);
        let item: __bus::ItemFn = |delivery| __bus::Ok(
            __bus::vec![__bus::item:: < Batch < Viewed > > (delivery) ?],
        );
        let call: __bus::BatchFn = |mut batch| {
            __bus::boxed_batch(async move {
                let argument_1 = __bus::arguments::<Batch<Viewed>>(&mut batch)?;
                let future = __bus::blocking_batch(batch, move || count(argument_1));
                __bus::outcomes_of::<Viewed, _>(future.await)
            })
        };
        __bus::HandlerRegistration::message_in_batches::<Viewed>(id, item, call)
            .taking(|arguments| {
                arguments.take_batch::<Batch<Viewed>>();
            })
            .identified_by(|| __bus::type_id_of(&count))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
            .with_options(__bus::HandlerOptions {
                batch: __bus::Some(__bus::BatchOptions {
                    size: 100,
                    wait: __bus::None,
                }),
                ..__bus::NO_OPTIONS
            })
    };
    __bus::submit! {
        __REGISTRATION
    }
};
