//! The one file that names an operating system.

#[cfg(target_os = "linux")]
pub(crate) use barewire_linux::{
    BACKLOG, Epoll as Native, Listener, Region, Signals, SlotCutter,
    affinity::{allowed, available, tied},
    bind_group,
    clock::thread_cpu_ns,
    dial::dial,
    limits::{descriptors, lockable, raise_descriptors},
    memory::{HUGE_PAGE_BYTES, huge_pages_all, huge_pages_free, huge_pages_needed, page_bytes},
    resident::{hold_program, hold_stack, lock},
    table::{Group, OWN_TABLES, Seat},
};
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub(crate) use barewire_macos::{
    BACKLOG, Group, Kqueue as Native, Listener, Region, SPREADS, Seat, Signals, SlotCutter,
    affinity::{allowed, available, tied},
    bind_group,
    clock::thread_cpu_ns,
    dial::dial,
    limits::{descriptors, lockable, raise_descriptors},
    memory::{HUGE_PAGE_BYTES, huge_pages_all, huge_pages_free, huge_pages_needed, page_bytes},
    resident::{hold_program, hold_stack, lock},
    table::OWN_TABLES,
};

#[cfg(target_os = "linux")]
pub use barewire_linux::{Waker, memory::Pages};
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub use barewire_macos::{Waker, memory::Pages};

/// What the banner calls it.
#[cfg(target_os = "linux")]
pub(crate) const BACKEND: &str = "epoll";
/// What the banner calls it.
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub(crate) const BACKEND: &str = "kqueue";

/// Whether the listeners of a group get their share of the connections each.
#[cfg(target_os = "linux")]
pub(crate) const SPREADS: bool = true;
