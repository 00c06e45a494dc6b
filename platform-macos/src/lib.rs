//! Barewire on macOS and FreeBSD: system calls and the mapped region, nothing else.
#![cfg(unix)]

pub mod affinity;
pub mod clock;
pub mod event;
pub mod kqueue;
pub mod limits;
pub mod memory;
pub mod queue;
pub mod resident;
pub mod signal;
pub mod socket;
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
mod system;
mod trouble;

pub use memory::{Region, SlotCutter};
pub use queue::Queue;
pub use signal::Signal;
pub use socket::{BACKLOG, Listener, SPREADS, bind_group};
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub use system::System;

/// [`Kernel`](barewire_core::driver::Kernel) over the system's own queue.
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub type Kqueue = kqueue::Kqueue<System>;
/// Wakes the worker of one [`Kqueue`].
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub type Waker = kqueue::Waker<System>;
/// The signals that end the server.
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub type Signals = signal::Signals<System>;
