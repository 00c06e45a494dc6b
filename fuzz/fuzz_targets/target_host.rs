//! See `src/target_host.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| barewire_fuzz::target_host(data));
