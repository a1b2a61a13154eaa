//! The forge example's binary.

fn main() {}
