//! The contract of [`Kernel`](barewire_core::driver::Kernel), over the system's own queue.
#![cfg(any(target_os = "macos", target_os = "freebsd"))]

#[path = "../../../../platform-linux/src/epoll/tests/contract.rs"]
mod contract;

use crate::socket::Listener;
use crate::{Kqueue as Platform, Waker};

fn open(listener: Listener) -> (Platform, Waker) {
    Platform::new(listener).unwrap()
}
