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
    const __REGISTRATION: __bus::HandlerRegistration = {
        let id = __bus::handler_id!(notify);
        let call: __bus::HandlerFn = |delivery| {
            __bus::boxed(async move {
                let future = notify(
                    __bus::captured::<PageId>(&delivery, "page")?,
                    __bus::extract::<Json<Edit>>(&delivery)?,
                    __bus::extract::<State<Mailer>>(&delivery)?,
                );
                __bus::outcome::<Result<(), MailError>>(future.await)
            })
        };
        __bus::HandlerRegistration::react(id, &["wiki.{page}.edited"], call)
            .taking(|arguments| {
                arguments.take::<Json<Edit>>();
                arguments.take::<State<Mailer>>();
            })
            .identified_by(|| __bus::type_id_of(&notify))
            .located(__bus::file!(), __bus::line!(), __bus::column!())
    };
    __bus::submit! {
        __REGISTRATION
    }
};
