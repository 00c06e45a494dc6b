//! [`Kqueue`] over queues that need no kqueue: one that follows a script, with what the manual
//! pages promise; and, on Linux, one that answers from epoll, over which the whole contract runs.
//! Where there is a kqueue the contract runs over that.

mod driver;
#[cfg(target_os = "linux")]
mod emulated;
mod faults;
mod script;
mod system;
mod traces;
#[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))]
mod turns;
