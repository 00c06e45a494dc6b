//! The monotonic clock, and that of a thread's work.

use barewire_core::driver::Instant;
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds since the system started (`CLOCK_MONOTONIC`). No system call where the kernel
/// offers its clock page: 40 ns on a small virtual machine.
pub fn now() -> Instant {
    let time = clock_gettime(ClockId::Monotonic);
    // Neither half is ever negative on this clock; 64 bits of nanoseconds are 584 years.
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Instant(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// Nanoseconds of processor time that the calling thread has taken, in user and kernel mode
/// (`CLOCK_THREAD_CPUTIME_ID`). A system call; not for each request.
pub fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn time_goes_forward_at_its_usual_pace() {
        let before = now();
        std::thread::sleep(Duration::from_millis(5));
        let slept = now().nanos_since(before);
        assert!(slept >= 5_000_000, "{slept} ns");
        assert!(slept < 10_000_000_000, "{slept} ns");
    }

    #[test]
    fn work_takes_processor_time_and_sleep_does_not() {
        let before = thread_cpu_ns();
        std::thread::sleep(Duration::from_millis(50));
        let slept = thread_cpu_ns() - before;
        assert!(slept < 25_000_000, "{slept} ns");
        let begin = now();
        while thread_cpu_ns() - before < slept + 5_000_000 {
            assert!(now().nanos_since(begin) < 10_000_000_000, "it stands still");
        }
    }
}
