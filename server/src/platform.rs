//! The one file that names an operating system.

#[cfg(target_os = "linux")]
pub(crate) use barewire_linux::{
    BACKLOG, Epoll as Native, Region, Signals, Waker,
    affinity::available,
    bind_group,
    limits::{lockable, raise_descriptors},
    memory::page_bytes,
    resident::{hold_program, hold_stack, lock},
};

/// What the banner calls it.
#[cfg(target_os = "linux")]
pub(crate) const BACKEND: &str = "epoll";
