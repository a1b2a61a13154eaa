//! The expansion `error_enum` of `goldens.rs`.

#[allow(deprecated)]
const _: () = {
    use ::bus_runtime::__private as __bus;
    const __REGISTRATION: __bus::ErrorRegistration = __bus::ErrorRegistration::new(|
        error|
    __bus::disposition::<
        MailError,
    >(
        error,
        |error| match *error {
            MailError::Refused { .. } => __bus::Disposition::Retry(__bus::None),
            MailError::Throttled { .. } => {
                __bus::Disposition::Retry(__bus::Some(__bus::Duration::from_secs(300)))
            }
            MailError::Unknown { .. } => __bus::Disposition::DeadLetter,
            MailError::Sent { .. } => __bus::Disposition::Discard,
            MailError::Away { .. } => {
                __bus::Disposition::Pause(__bus::Duration::from_millis(500))
            }
        },
    ));
    __bus::submit! {
        __REGISTRATION
    }
};
