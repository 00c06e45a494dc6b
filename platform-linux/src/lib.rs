//! Barewire on Linux: system calls and the mapped region, nothing else.
#![cfg(target_os = "linux")]
