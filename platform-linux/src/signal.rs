//! The signals that end the server, waited for instead of handled: no code of ours ever runs
//! inside a signal handler.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::time::{Duration, Instant};

/// Who asked the server to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: a person at the terminal.
    Interrupt,
    /// SIGTERM: a service manager.
    Terminate,
}

/// SIGTERM and SIGINT, blocked, so that they stay pending until somebody waits for them.
pub struct Signals {
    set: libc::sigset_t,
}

impl Signals {
    /// Blocks SIGTERM and SIGINT for the calling thread and all threads that it starts from now
    /// on, and ignores SIGPIPE for the process.
    ///
    /// Call it in the main thread before any other is started: a thread that does not block a
    /// signal is killed by it, and the process with it. Programs started with
    /// `std::process::Command` get an empty mask again.
    ///
    /// # Errors
    /// Only if the system refuses what it never refuses.
    pub fn block() -> io::Result<Signals> {
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
        Ok(Signals { set })
    }

    /// Waits for the next of the two signals. A second call waits for a second signal: a person
    /// who does not want to wait for a graceful end.
    pub fn wait(&self) -> Signal {
        loop {
            if let Some(signal) = self.take(None) {
                return signal;
            }
        }
    }

    /// Waits for the next of the two signals, at most `timeout`.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Signal> {
        let started = Instant::now();
        loop {
            let left = timeout.saturating_sub(started.elapsed());
            if let Some(signal) = self.take(Some(left)) {
                return Some(signal);
            }
            if left.is_zero() {
                return None;
            }
        }
    }

    /// One wait; `None` if the time is over or another signal's handler interrupted it.
    fn take(&self, timeout: Option<Duration>) -> Option<Signal> {
        let timeout = timeout.map(|t| libc::timespec {
            tv_sec: libc::time_t::try_from(t.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: t.subsec_nanos().into(),
        });
        let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: the set is initialised since `block`, the time is null (for ever) or points to
        // a local that lives through the call, and the signal's details are not asked for.
        let number = unsafe { libc::sigtimedwait(&self.set, ptr::null_mut(), timeout) };
        match number {
            libc::SIGINT => Some(Signal::Interrupt),
            libc::SIGTERM => Some(Signal::Terminate),
            _ => None,
        }
    }
}

impl std::fmt::Debug for Signals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signals(SIGTERM, SIGINT)")
    }
}

/// A set of these signals.
fn set_of(signals: &[libc::c_int]) -> libc::sigset_t {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `signal` to the calling thread alone: the harness's other threads do not block it.
    fn raise(signal: libc::c_int) {
        // SAFETY: takes no arguments, cannot fail.
        let me = unsafe { libc::pthread_self() };
        // SAFETY: the calling thread is alive, and so its handle is valid.
        assert_eq!(unsafe { libc::pthread_kill(me, signal) }, 0);
    }

    #[test]
    fn a_blocked_signal_waits_until_it_is_asked_for() {
        // In a thread of its own, as the mask of the thread is changed.
        std::thread::spawn(|| {
            let signals = Signals::block().unwrap();
            assert_eq!(signals.wait_timeout(Duration::ZERO), None);
            raise(libc::SIGTERM);
            assert_eq!(signals.wait(), Signal::Terminate);
            raise(libc::SIGINT);
            assert_eq!(signals.wait_timeout(Duration::MAX), Some(Signal::Interrupt));
            let started = Instant::now();
            assert_eq!(signals.wait_timeout(Duration::from_millis(20)), None);
            assert!(started.elapsed() >= Duration::from_millis(20));
        })
        .join()
        .unwrap();
    }

    #[test]
    fn threads_started_later_block_them_too() {
        std::thread::spawn(|| {
            let signals = Signals::block().unwrap();
            std::thread::spawn(move || {
                raise(libc::SIGTERM);
                assert_eq!(
                    signals.wait_timeout(Duration::from_secs(5)),
                    Some(Signal::Terminate)
                );
            })
            .join()
            .unwrap();
        })
        .join()
        .unwrap();
    }
}
