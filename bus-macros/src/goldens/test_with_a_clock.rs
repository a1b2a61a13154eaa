//! The expansion `test_with_a_clock` of `goldens.rs`.

#[::bus_runtime::__private::testing::test]
/// Hears of pages.
#[ignore]
fn it_is_called() {
    use ::bus_runtime::__private as __bus;
    #[allow(clippy::unused_async)]
    async fn it_is_called(bus: TestBus, mailer: State<Mailer>) -> Result<(), BoxError> {
        bus.settled().await;
        Ok(())
    }
    __bus::testing::in_virtual_time(
        __bus::testing::Settings {
            app: build,
            handlers: &["wiki::*"],
        },
        |bus| async move {
            it_is_called(
                    __bus::testing::argument::<_, TestBus>(&bus),
                    __bus::testing::argument::<_, State<Mailer>>(&bus),
                )
                .await
        },
    );
}
