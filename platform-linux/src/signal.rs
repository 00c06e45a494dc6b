//! The signals that end the server, waited for instead of handled: no code of ours ever runs
//! inside a signal handler.

use std::io;
use std::ptr;
use std::time::{Duration, Instant};

use crate::unix::mask;
pub use crate::unix::mask::Signal;

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
        Ok(Signals {
            set: mask::block()?,
        })
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
            // (Its name would be deprecated for musl.)
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX) as _,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unix::mask::raise;

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
