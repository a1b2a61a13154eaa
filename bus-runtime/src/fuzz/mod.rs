//! What is asked of everything that reads what strangers wrote: each function takes any bytes, and panics when a promise is broken.
//!
//! `fuzz/` hands them to libFuzzer, and `tests/tests/fuzz.rs` tries what is known and some of what is not, on every run.

mod binding_key;
mod body;
mod broker_url;
mod dead_letter;
mod expression;
mod headers;

/// One of them.
pub type Target = fn(&[u8]);

/// All of them, by their names.
pub const TARGETS: [(&str, Target); 7] = [
    ("binding_key", binding_key::binding_key),
    ("body", body::body),
    ("broker_url", broker_url::broker_url),
    ("dead_letter", dead_letter::dead_letter),
    ("expression", expression::expression),
    ("frames", crate::transport::fuzz_frames),
    ("headers", headers::headers),
];

/// Asks the target of this name.
///
/// # Panics
/// When it breaks a promise, or when there is none of this name.
pub fn ask(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, ask) = target.expect("a target of this name");
    ask(data);
}
