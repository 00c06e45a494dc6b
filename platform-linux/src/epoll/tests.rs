//! Epoll keeps the contract of [`Kernel`]; the last cases are its own.

mod contract;

use barewire_core::driver::{Event, Instant, Kernel, WAKER};
use rustix::event::Timespec;

use super::Epoll as Platform;
use super::{Waker, millis};
use crate::socket::Listener;
use contract::{QUIET_MS, connect, kernel, poll, poll_until};

fn open(listener: Listener) -> (Platform, Waker) {
    Platform::new(listener).unwrap()
}

#[test]
fn without_the_newer_call_waits_are_whole_milliseconds_and_never_early() {
    let (mut epoll, waker, addr) = kernel();
    epoll.in_millis = true;
    for nanos in [0, 1, 999_999, 1_000_000, 1_000_001, 20_500_000] {
        let before = epoll.now();
        let until = Instant(before.0 + nanos);
        assert_eq!(
            epoll.poll(&mut [Event::default(); 8], Some(until)).unwrap(),
            0
        );
        assert!(epoll.now() >= until, "{nanos}");
    }
    waker.wake();
    assert_eq!(poll_until(&mut epoll, |_| true).token, WAKER);
    // Tokens are whole words, in every place of a batch.
    let pairs: Vec<_> = (0..12).map(|_| connect(&mut epoll, addr)).collect();
    for (at, (_, socket)) in pairs.iter().enumerate() {
        epoll.register(socket, u64::MAX - 100 - at as u64).unwrap();
    }
    let mut seen: Vec<u64> = poll(&mut epoll, QUIET_MS)
        .iter()
        .map(|event| event.token)
        .collect();
    seen.sort_unstable();
    let expected: Vec<u64> = (0..12).rev().map(|at| u64::MAX - 100 - at).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_long_wait_is_cut_and_not_turned_into_an_endless_one() {
    let timeout = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
    assert_eq!(millis(&timeout(0, 0)), 0);
    assert_eq!(millis(&timeout(2, 1)), 2001);
    assert_eq!(millis(&timeout(i64::MAX, 999_999_999)), libc::c_int::MAX);
}
