//! The expansion `task` of `goldens.rs`.

const _: () = {
    use ::bus_runtime::__private as __bus;
    #[diagnostic::do_not_recommend]
    impl __bus::Message for SendInvoice {
        type Kind = __bus::Task;
        const TOPIC: &'static __bus::str = "invoice.send";
        const VERSION: __bus::u32 = 2;
        const EXCHANGE: __bus::Option<&'static __bus::str> = __bus::Some("billing");
        const TTL_MILLIS: __bus::Option<__bus::u64> = __bus::Some(300000);
        const PRIORITY: __bus::Option<__bus::u8> = __bus::Some(9);
    }
    #[diagnostic::do_not_recommend]
    impl __bus::FromDelivery for SendInvoice {
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
        __bus::MessageRegistration::of:: < SendInvoice > ()
        .described_by(__bus::schema_of!(SendInvoice)).located(__bus::file!(),
        __bus::line!(), __bus::column!())
    }
};
