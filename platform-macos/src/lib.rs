//! Barewire on macOS and FreeBSD: system calls and the mapped region, nothing else.
//!
//! [`Kqueue`](kqueue::Kqueue) implements [`Kernel`](barewire_core::driver::Kernel), core turns that
//! into completions, and the server forbids unsafe code. The files are those of
//! `barewire-linux`, and those of its folder `unix` are the same ones.
//!
//! # Without a Mac
//!
//! `kevent(2)` lies behind a seam of one call, [`Queue`]: changes in, events out, both as plain
//! [records](event::Record). One file knows the system's own record, and is built only where there
//! is one. Everything above compiles and is tested on any Unix: over a script that does what the
//! manual pages promise, with the real `Readiness` on top; and, on Linux, over a queue made of
//! epoll, with real sockets, through the same contract as epoll itself. Three adaptors that are
//! wrong on purpose (the end drops pending data, a wake is lost, a closed socket's event hits its
//! successor) are found by it. Its larger half, [`Watch`](watch::Watch), makes no call on a socket:
//! the simulation puts it above a simulated queue, with the whole server on top.
//!
//! So what stands between these tests and a Mac is that one file, and whether the manual pages are
//! right: it type-checks and links for these systems, and **was not run on any**. The workflow of
//! the repository runs the contract over the system's own queue, for whoever hosts it.
//!
//! # What is not as on Linux
//!
//! | what | macOS | FreeBSD | here | source |
//! |---|---|---|---|---|
//! | one registration | two, one for each direction | the same | two changes with one call | kqueue(2) |
//! | an edge | `EV_CLEAR` | the same | always | kqueue(2) |
//! | one event for one thread | `EV_DISPATCH` | the same | [`shared`], where Linux has `EPOLLONESHOT` | kqueue(2) |
//! | the end of a stream | `EV_EOF`, while data may be pending | the same | "ended": bytes are read first | kqueue(2), EVFILT_READ |
//! | an error of the socket | in `fflags`, with `EV_EOF` | the same | "broken"; rustix hides `fflags` of sockets, so the call is libc's | kqueue(2) |
//! | our own half-close | `EV_EOF` of EVFILT_WRITE, no error | the same | no break | XNU `filt_sowrite`, FreeBSD `filt_sowrite` |
//! | an error of a change | a record with `EV_ERROR`, if there is room | the same | receipts, so that no event is taken instead | kqueue(2), EV_RECEIPT |
//! | the word of a change | set anew by each, also by a trigger | the same | the trigger carries it | FreeBSD `kqueue_register` |
//! | a wake from another thread | `EVFILT_USER` | the same | no descriptor for it | kqueue(2) |
//! | `accept4` | none | there | two calls more everywhere; a child started between them inherits the socket | accept(2) |
//! | what an accepted socket inherits | not documented in full | not in full | everything is set again | accept(2) |
//! | an accepted socket whose peer is gone | refuses options (`EINVAL`) | - | passed over | setsockopt(2) |
//! | `MSG_NOSIGNAL` | none; `SO_NOSIGPIPE` | both | the option, and SIGPIPE is ignored | send(2), setsockopt(2) |
//! | a send while the connection goes | may say `EPROTOTYPE` | - | lost | reports of its users |
//! | `TCP_NOTSENT_LOWAT` | there (0x201) | none | bounded on macOS; FreeBSD fills its send buffer | tcp(4) |
//! | several listeners on a port | all to one | `SO_REUSEPORT_LB` spreads | one acceptor hands out; [`SPREADS`] | setsockopt(2) |
//! | `SO_REUSEADDR` | a port is claimed for each address on its own | the same | `127.0.0.1` is free while `0.0.0.0` is taken | setsockopt(2) |
//! | backlog | 128 (`kern.ipc.somaxconn`) | 128 | 4096 is asked for | listen(2) |
//! | `sendfile` | `(file, socket, offset, &length, headers, flags)` | the same with the bytes sent last | not used: no file is served | sendfile(2) |
//! | timers | the system may delay them to save power | late by a few per cent | deadlines are 50 ms apart anyway | Apple's "Timer Coalescing", FreeBSD `kern.timecounter.alloweddeviation` |
//! | longest wait | not documented; too long is `EINVAL` | the same | a day | kqueue(2) |
//! | the clock | `CLOCK_MONOTONIC` has microseconds and runs in sleep | nanoseconds | `CLOCK_UPTIME_RAW` on macOS | clock_gettime(3) |
//! | tying a thread to a processor | impossible | possible | `Unsupported` | XNU `thread_policy.h`, cpuset(2) |
//! | a table of descriptors for one thread | none | none | [`table`]: one for the process | - |
//! | huge pages by request | none | by themselves | none | mmap(2) |
//! | `MADV_POPULATE_WRITE` | none | none | pages are written to | madvise(2) |
//! | locked memory | `vm.user_wire_limit` too | `RLIMIT_MEMLOCK`, `vm.max_user_wired` | said, never needed | mlock(2) |
//! | where the program lies | no list | no list | it is not held in memory | - |
//! | `sigtimedwait` | none | there | `EVFILT_SIGNAL` | sigwait(2), kqueue(2) |
//! | open files | "no limit" is refused beyond `kern.maxfilesperproc` | the same number | asked for | setrlimit(2) |
//! | control groups | none | none | no quota is read | - |
#![cfg(unix)]

pub mod affinity;
pub mod clock;
pub mod event;
pub mod kqueue;
pub mod memory;
pub mod queue;
pub mod resident;
pub mod shared;
pub mod signal;
pub mod socket;
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
mod system;
pub mod table;
#[path = "../../platform-linux/src/unix/mod.rs"]
mod unix;
pub mod watch;

pub use memory::{Region, SlotCutter};
pub use queue::Queue;
pub use signal::Signal;
pub use socket::{BACKLOG, Listener, SPREADS, bind_group};
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub use system::System;
pub use unix::{dial, limits};

/// [`Kernel`](barewire_core::driver::Kernel) over the system's own queue.
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub type Kqueue = kqueue::Kqueue<System>;
/// Wakes the worker of one [`Kqueue`].
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub type Waker = kqueue::Waker<System>;
/// The workers' wakers.
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub type Group = table::Group<System>;
/// What one worker needs to listen.
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub type Seat = table::Seat<System>;
/// One queue for several threads.
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub type Shared = shared::Shared<System>;
/// The signals that end the server.
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
pub type Signals = signal::Signals<System>;

/// A worker is built in the main thread and moved to its own.
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
const _: () = {
    const fn moves<T: Send>() {}
    const fn is_shared<T: Send + Sync>() {}
    moves::<Kqueue>();
    moves::<Listener>();
    moves::<Seat>();
    moves::<barewire_core::buffer::Slot>();
    is_shared::<Waker>();
    is_shared::<Shared>();
};
