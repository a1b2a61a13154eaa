//! The expansion `captures` of `goldens.rs`.

#[allow(clippy::unused_async)]
async fn notify(
    page: PageId,
    edit: Json<Edit>,
    mail: State<Mailer>,
) -> Result<(), MailError> {
    mail.send(page, edit).await
}
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __CALL: __bus::HandlerFn = |delivery| {
        __bus::boxed(async move {
            let call = notify(
                __bus::captured::<PageId>(&delivery, "page")?,
                __bus::extract::<Json<Edit>>(&delivery)?,
                __bus::extract::<State<Mailer>>(&delivery)?,
            );
            __bus::outcome::<Result<(), MailError>>(call.await)
        })
    };
    const __REGISTRATION: __bus::HandlerRegistration = __bus::HandlerRegistration::react(
            __bus::handler_id!(notify),
            &["wiki.{page}.edited"],
            __CALL,
        )
        .taking(|arguments| {
            arguments.take::<Json<Edit>>();
            arguments.take::<State<Mailer>>();
        })
        .identified_by(|| __bus::type_id_of(&notify))
        .located(__bus::file!(), __bus::line!(), __bus::column!());
    __bus::submit! {
        __REGISTRATION
    }
};
