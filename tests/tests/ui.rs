//! What users read when they make a mistake: one file per mistake under `ui/`, grouped by kind, each with the compiler's
//! whole answer beside it.
//!
//! The answers were recorded with rustc 1.95. A newer compiler may word its own parts differently (the texts of traits and
//! the lists of implementations, never ours); `TRYBUILD=overwrite cargo test -p bus-tests --test ui` records them anew, and
//! the difference is for a person to read.

#[test]
fn d4_each_mistake_has_one_clear_answer() {
    let cases = trybuild::TestCases::new();
    for kind in ["patterns", "options", "signatures", "controllers", "messages", "errors", "types", "tests"] {
        cases.compile_fail(format!("tests/ui/{kind}/*.rs"));
    }
}
