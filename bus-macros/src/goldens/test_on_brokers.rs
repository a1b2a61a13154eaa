//! The expansion `test_on_brokers` of `goldens.rs`.

#[cfg(test)]
#[cfg(unix)]
#[allow(clippy::unused_async)]
async fn it_is_called(bus: TestBus<RealTime>) {
    bus.settled().await;
}
#[cfg(unix)]
#[cfg(test)]
mod it_is_called {
    use ::facade::bus::__private as __bus;
    #[allow(unused_imports)]
    use super::*;
    #[__bus::testing::test]
    #[should_panic]
    fn embedded() {
        __bus::testing::on_embedded(
            __bus::testing::Settings {
                app: __bus::testing::app,
                handlers: &[],
            },
            |bus| async move {
                super::it_is_called(
                        __bus::testing::argument::<_, TestBus<RealTime>>(&bus),
                    )
                    .await
            },
        );
    }
    #[__bus::testing::test]
    #[should_panic]
    fn rabbitmq() {
        __bus::testing::on_rabbitmq(
            __bus::testing::Settings {
                app: __bus::testing::app,
                handlers: &[],
            },
            |bus| async move {
                super::it_is_called(
                        __bus::testing::argument::<_, TestBus<RealTime>>(&bus),
                    )
                    .await
            },
        );
    }
}
