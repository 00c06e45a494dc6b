//! Barewire on macOS and the BSDs (a skeleton yet: it compiles to nothing elsewhere).
#![cfg(any(target_os = "macos", target_os = "freebsd"))]
