//! Any bytes as frames from a broker.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bus_runtime::fuzz::ask("frames", data));
