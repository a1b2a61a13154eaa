//! Any bytes as lines of an export.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bus_runtime::fuzz::ask("dead_letter", data));
