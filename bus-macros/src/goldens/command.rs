//! The expansion `command` of `goldens.rs`.

const _: () = {
    use ::bus_runtime::__private as __bus;
    #[diagnostic::do_not_recommend]
    impl __bus::Message for CreateUser {
        type Kind = __bus::Command<Result<u64, String>>;
        const TOPIC: &'static __bus::str = "user.create";
    }
    #[diagnostic::do_not_recommend]
    impl __bus::FromDelivery for CreateUser {
        fn from_delivery(
            delivery: &__bus::Delivery,
        ) -> __bus::Result<Self, __bus::Rejection> {
            __bus::decode::<Self>(delivery)
        }
        fn describe(arguments: &mut __bus::Arguments) {
            arguments.payload::<Self>();
        }
    }
    __bus::submit! {
        __bus::MessageRegistration::of:: < CreateUser > ()
        .described_by(__bus::schema_of!(CreateUser)).located(__bus::file!(),
        __bus::line!(), __bus::column!())
    }
};
