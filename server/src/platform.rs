//! The one file that names an operating system.

#[cfg(target_os = "linux")]
pub(crate) use barewire_linux::{
    BACKLOG, Epoll as Native, Region, Signals, Waker, affinity::available, bind_group,
    limits::raise_descriptors,
};

/// What the banner calls it.
#[cfg(target_os = "linux")]
pub(crate) const BACKEND: &str = "epoll";
