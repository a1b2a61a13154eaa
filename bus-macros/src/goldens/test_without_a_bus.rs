//! The expansion `test_without_a_bus` of `goldens.rs`.

#[::bus_runtime::__private::testing::test]
fn nothing() {
    use ::bus_runtime::__private as __bus;
    #[allow(clippy::unused_async)]
    async fn nothing() {}
    __bus::testing::without_bus(nothing);
}
