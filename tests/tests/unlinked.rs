//! Handlers of a crate that nothing names are dropped by the linker, although the crate is a dependency. If this test fails, the
//! linker has become kinder, and the help of BUS0001 and the docs of `link!` want another wording.

use bus_runtime::HandlerRegistration;

#[test]
fn a_crate_that_nothing_names_is_dropped() {
    assert_eq!(HandlerRegistration::linked().count(), 0);
}
