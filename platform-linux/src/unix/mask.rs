//! Signals that end the server, blocked: no code of ours ever runs inside a signal handler.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

/// Who asked the server to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: a person at the terminal.
    Interrupt,
    /// SIGTERM: a service manager.
    Terminate,
}

/// Blocks SIGTERM and SIGINT for the calling thread and all threads that it starts from now on, and
/// ignores SIGPIPE for the process. Gives the set of the two.
pub(crate) fn block() -> io::Result<libc::sigset_t> {
    let set = set_of(&[libc::SIGTERM, libc::SIGINT]);
    // SAFETY: `set` is an initialised set and lives through the call; the old mask is not
    // asked for.
    let failed = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut()) };
    if failed != 0 {
        return Err(io::Error::from_raw_os_error(failed));
    }
    // Rust's start-up code does it for programs whose `main` is Rust's; not for others.
    // SAFETY: SIG_IGN is a valid disposition for SIGPIPE and runs no code.
    let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    if before == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(set)
}

/// A set of these signals.
pub(crate) fn set_of(signals: &[libc::c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `set` is room for one set, which the call fills in full.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: the call above cannot fail and has initialised it.
    let mut set = unsafe { set.assume_init() };
    for &signal in signals {
        // SAFETY: `set` is initialised; an unknown number would only be refused.
        unsafe { libc::sigaddset(&mut set, signal) };
    }
    set
}

/// Sends `signal` to the calling thread alone: the test harness's other threads do not block it.
#[cfg(test)]
pub(crate) fn raise(signal: libc::c_int) {
    // SAFETY: takes no arguments, cannot fail.
    let me = unsafe { libc::pthread_self() };
    // SAFETY: the calling thread is alive, and so its handle is valid.
    assert_eq!(unsafe { libc::pthread_kill(me, signal) }, 0);
}
