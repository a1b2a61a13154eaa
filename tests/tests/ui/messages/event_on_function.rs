//! The attribute of a type on a function.

#[event("order.placed")]
fn place_order() {}

fn main() {}
