//! Any bytes as a routing key and binding keys.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bus_runtime::fuzz::ask("binding_key", data));
