//! Any bytes as a table of headers.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bus_runtime::fuzz::ask("headers", data));
