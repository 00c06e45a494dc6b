//! The one file that names an operating system.

#[cfg(target_os = "linux")]
pub(crate) use barewire_linux::{
    BACKLOG, Epoll as Native, Region, Signals, SlotCutter, Waker,
    affinity::available,
    bind_group,
    dial::dial,
    limits::{descriptors, lockable, raise_descriptors},
    memory::page_bytes,
    resident::{hold_program, hold_stack, lock},
};
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub(crate) use barewire_macos::{
    BACKLOG, Kqueue as Native, Region, SPREADS, Signals, SlotCutter, Waker,
    affinity::available,
    bind_group,
    dial::dial,
    limits::{descriptors, lockable, raise_descriptors},
    memory::page_bytes,
    resident::{hold_program, hold_stack, lock},
};

/// What the banner calls it.
#[cfg(target_os = "linux")]
pub(crate) const BACKEND: &str = "epoll";
/// What the banner calls it.
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub(crate) const BACKEND: &str = "kqueue";

/// Whether the listeners of a group get their share of the connections each.
#[cfg(target_os = "linux")]
pub(crate) const SPREADS: bool = true;
