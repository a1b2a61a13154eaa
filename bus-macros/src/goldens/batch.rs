//! The expansion `batch` of `goldens.rs`.

#[allow(clippy::unused_async)]
async fn index(
    pages: Vec<Json<Page>>,
    name: Vec<String>,
    db: State<Db>,
) -> Result<Vec<Outcome>, DbError> {
    db.insert(pages).await
}
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(index);
        let item: __bus::ItemFn = |delivery| __bus::Ok(
            __bus::vec![
                __bus::item:: < Vec < Json < Page > > > (delivery) ?,
                __bus::captured_item:: < Vec < String > > (delivery, "name") ?,
                __bus::item:: < State < Db > > (delivery) ?
            ],
        );
        let call: __bus::BatchFn = |mut batch| {
            __bus::boxed_batch(async move {
                let future = index(
                    __bus::arguments::<Vec<Json<Page>>>(&mut batch)?,
                    __bus::captured_arguments::<Vec<String>>(&mut batch)?,
                    __bus::arguments::<State<Db>>(&mut batch)?,
                );
                __bus::outcomes::<Result<Vec<Outcome>, DbError>>(future.await)
            })
        };
        __bus::HandlerRegistration::react_in_batches(id, &["wiki.{name}"], item, call)
            .taking(|arguments| {
                arguments.take_batch::<Vec<Json<Page>>>();
                arguments.take_batch::<State<Db>>();
            })
            .identified_by(|| __bus::type_id_of(&index))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
            .with_options(__bus::HandlerOptions {
                batch: __bus::Some(__bus::BatchOptions {
                    size: 100,
                    wait: __bus::Some(__bus::Duration::from_millis(500)),
                }),
                ..__bus::NO_OPTIONS
            })
    };
    __bus::submit! {
        __REGISTRATION
    }
};
