//! See `src/httparse.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| barewire_fuzz::httparse(data));
