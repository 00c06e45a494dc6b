//! What concerns a whole process: each test does it in a child.
//!
//! Apart from the crate's other tests, for a child holds copies of all descriptors that its
//! parent had, and keeps the connections of tests in other threads open until it ends.
#![cfg(any(target_os = "macos", target_os = "freebsd"))]

#[allow(dead_code)] // Linux has tests of its own beside it
#[path = "../../platform-linux/tests/child/mod.rs"]
mod child;

use barewire_macos::{Signal, Signals};
