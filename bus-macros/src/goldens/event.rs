//! The expansion `event` of `goldens.rs`.

const _: () = {
    use ::bus_runtime::__private as __bus;
    #[diagnostic::do_not_recommend]
    impl __bus::Message for UserCreated {
        type Kind = __bus::Event;
        const TOPIC: &'static __bus::str = "user.created";
    }
    #[diagnostic::do_not_recommend]
    impl __bus::FromDelivery for UserCreated {
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
        __bus::MessageRegistration::of:: < UserCreated > ()
        .described_by(__bus::schema_of!(UserCreated)).located(__bus::file!(),
        __bus::line!(), __bus::column!())
    }
};
