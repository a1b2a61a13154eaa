//! The attribute on a structure.

#[bus_runtime::test]
struct Wiki;

fn main() {}
