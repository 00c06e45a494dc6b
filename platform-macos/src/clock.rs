//! The monotonic clock, and that of a thread's work.

use barewire_core::driver::Instant;

/// Nanoseconds since the system started; time that it slept does not count. That is the clock that
/// `kevent(2)` waits by.
pub fn now() -> Instant {
    let (seconds, nanos) = read();
    // Neither half is ever negative on this clock; 64 bits of nanoseconds are 584 years.
    let seconds = u64::try_from(seconds).unwrap_or(0);
    let nanos = u64::try_from(nanos).unwrap_or(0);
    Instant(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// Nanoseconds of processor time that the calling thread has taken, in user and kernel mode
/// (`CLOCK_THREAD_CPUTIME_ID`). A system call; not for each request.
pub fn thread_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// `CLOCK_UPTIME_RAW`: macOS's `CLOCK_MONOTONIC` goes on during sleep, and has microseconds only.
#[cfg(target_vendor = "apple")]
fn read() -> (i64, i64) {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a live value of the type that the call fills. (It cannot fail for a clock
    // that the system has; were it to, the time would stand still.)
    unsafe { libc::clock_gettime(libc::CLOCK_UPTIME_RAW, &mut time) };
    (time.tv_sec, time.tv_nsec)
}

/// `CLOCK_MONOTONIC`.
#[cfg(not(target_vendor = "apple"))]
fn read() -> (i64, i64) {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    (time.tv_sec, time.tv_nsec)
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
    fn work_takes_processor_time() {
        let (before, begin) = (thread_cpu_ns(), now());
        while thread_cpu_ns() - before < 5_000_000 {
            assert!(now().nanos_since(begin) < 10_000_000_000, "it stands still");
        }
    }
}
