//! The expansion `terminal_event` of `goldens.rs`.

const _: () = {
    use ::facade::bus::__private as __bus;
    #[diagnostic::do_not_recommend]
    impl __bus::Message for PageIndexed {
        type Kind = __bus::Event;
        const TOPIC: &'static __bus::str = "page.indexed";
        const TERMINAL: __bus::bool = true;
    }
    #[diagnostic::do_not_recommend]
    impl __bus::FromDelivery for PageIndexed {
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
        __bus::MessageRegistration::of:: < PageIndexed > ()
        .described_by(__bus::schema_of!(PageIndexed)).located(__bus::file!(),
        __bus::line!(), __bus::column!())
    }
};
