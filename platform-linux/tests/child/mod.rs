//! Work in a child process, and what every platform tests in one. (`barewire-macos` includes it.)

use std::time::Duration;

use super::{Signal, Signals};

/// Runs `work` in a child and says whether it came out true.
///
/// `work` makes system calls only: another thread of the parent may have held a lock (the heap's,
/// for one) that nobody in the child will ever give back.
pub(crate) fn in_child(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child does as said above, which each caller keeps to, and ends with `_exit`.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        // Should it hang, SIGALRM ends it, and the test with it.
        // SAFETY: takes any number.
        unsafe { libc::alarm(20) };
        let code = if work() { 0 } else { 1 };
        // SAFETY: ends the child at once, without the harness's exit handlers.
        unsafe { libc::_exit(code) };
    }
    let mut status = -1;
    // SAFETY: `child` is a child of this process, and `status` lives through the call.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    status == 0
}

/// Sends `signal` to this process.
fn kill_me(signal: libc::c_int) {
    // SAFETY: takes no arguments, cannot fail.
    let me = unsafe { libc::getpid() };
    // SAFETY: takes any numbers.
    unsafe { libc::kill(me, signal) };
}

#[test]
fn a_signal_to_the_whole_process_is_waited_for() {
    assert!(in_child(|| {
        let Ok(signals) = Signals::block() else {
            return false;
        };
        let long = Duration::from_secs(10);
        kill_me(libc::SIGTERM);
        let first = signals.wait_timeout(long);
        kill_me(libc::SIGINT);
        let second = signals.wait_timeout(long);
        kill_me(libc::SIGPIPE);
        first == Some(Signal::Terminate) && second == Some(Signal::Interrupt)
    }));
    assert!(!in_child(|| {
        kill_me(libc::SIGTERM);
        true
    }));
}
