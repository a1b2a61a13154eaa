//! Any bytes as an expression of `--where`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bus_runtime::fuzz::ask("expression", data));
