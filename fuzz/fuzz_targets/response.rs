//! See `src/response.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| barewire_fuzz::response(data));
