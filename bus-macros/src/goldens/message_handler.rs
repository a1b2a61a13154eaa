//! The expansion `message_handler` of `goldens.rs`.

#[allow(clippy::unused_async)]
async fn create(command: CreateUser, db: State<Pool>) -> Result<u64, CreateError> {
    db.insert(command).await
}
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(create);
        let call: __bus::HandlerFn = |delivery| {
            __bus::boxed(async move {
                let future = create(
                    __bus::extract::<CreateUser>(&delivery)?,
                    __bus::extract::<State<Pool>>(&delivery)?,
                );
                __bus::outcome_of::<CreateUser, Result<u64, CreateError>>(future.await)
            })
        };
        __bus::HandlerRegistration::message::<CreateUser>(id, call)
            .taking(|arguments| {
                arguments.take::<CreateUser>();
                arguments.take::<State<Pool>>();
                __bus::not_another_message!(State < Pool >, CreateUser);
            })
            .identified_by(|| __bus::type_id_of(&create))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
    };
    __bus::submit! {
        __REGISTRATION
    }
};
