//! Handlers of another crate are there when the program links it by name. See `unlinked.rs` for the other direction.

use bus_runtime::HandlerRegistration;

bus_runtime::link!(bus_examples);

#[test]
fn a_crate_that_is_linked_by_name_brings_its_handlers() {
    assert!(HandlerRegistration::linked().count() > 0, "`bus_runtime::link!` has linked nothing");
    let plan = bus_runtime::app().plan().expect("the forge's handlers fit together");
    assert!(
        plan.handlers.iter().all(|entry| entry.name.starts_with("bus_examples::")),
        "{:?}",
        plan.handlers
    );
}

#[test]
fn d6_each_handler_is_registered_once_and_in_one_order() {
    let names = || -> Vec<_> {
        let plan = bus_runtime::app().plan().expect("the forge's handlers fit together");
        plan.handlers
            .iter()
            .map(|entry| (entry.name.clone(), entry.exchange.to_string(), entry.place))
            .collect()
    };
    let first = names();
    let mut sorted = first.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), first.len());
    assert_eq!(first, names());
}
