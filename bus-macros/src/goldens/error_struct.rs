//! The expansion `error_struct` of `goldens.rs`.

#[allow(deprecated)]
const _: () = {
    use ::facade::bus::__private as __bus;
    const __REGISTRATION: __bus::ErrorRegistration = __bus::ErrorRegistration::new(|
        error|
    __bus::disposition::<
        Busy,
    >(
        error,
        |_| __bus::Disposition::Retry(__bus::Some(__bus::Duration::from_secs(90))),
    ));
    __bus::submit! {
        __REGISTRATION
    }
};
