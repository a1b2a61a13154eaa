//! What `#[bus_runtime::test]` expands to, compared as in `goldens.rs`.

use quote::quote;

use crate::goldens::check;
use crate::test as tests_of_users;

#[test]
fn test_with_a_clock() {
    let item = quote! {
        /// Hears of pages.
        #[ignore]
        async fn it_is_called(bus: TestBus, mailer: State<Mailer>) -> Result<(), BoxError> {
            bus.settled().await;
            Ok(())
        }
    };
    check("test_with_a_clock", tests_of_users::test(quote!(app = build, handlers("wiki::*")), &item));
}

#[test]
fn test_on_brokers() {
    let item = quote! {
        #[cfg(unix)]
        #[should_panic]
        async fn it_is_called(bus: TestBus<RealTime>) {
            bus.settled().await;
        }
    };
    check(
        "test_on_brokers",
        tests_of_users::test(quote!(on(embedded, rabbitmq), crate = ::facade::bus), &item),
    );
}

#[test]
fn test_without_a_bus() {
    check(
        "test_without_a_bus",
        tests_of_users::test(
            quote!(),
            &quote!(
                async fn nothing() {}
            ),
        ),
    );
}
