//! The expansion `message_handler` of `goldens.rs`.

#[allow(clippy::unused_async)]
async fn create(command: CreateUser, db: State<Pool>) -> Result<u64, CreateError> {
    db.insert(command).await
}
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __CALL: __bus::HandlerFn = |delivery| {
        __bus::boxed(async move {
            let call = create(
                __bus::extract::<CreateUser>(&delivery)?,
                __bus::extract::<State<Pool>>(&delivery)?,
            );
            __bus::outcome_of::<CreateUser, Result<u64, CreateError>>(call.await)
        })
    };
    const __REGISTRATION: __bus::HandlerRegistration = __bus::HandlerRegistration::message::<
        CreateUser,
    >(__bus::handler_id!(create), __CALL)
        .taking(|arguments| {
            arguments.take::<CreateUser>();
            arguments.take::<State<Pool>>();
        })
        .identified_by(|| __bus::type_id_of(&create))
        .located(__bus::file!(), __bus::line!(), __bus::column!());
    __bus::submit! {
        __REGISTRATION
    }
};
