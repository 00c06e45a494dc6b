//! What concerns a whole process: each test does it in a child.
//!
//! Apart from the crate's other tests, for a child holds copies of all descriptors that its
//! parent had, and keeps the connections of tests in other threads open until it ends.
#![cfg(target_os = "linux")]

mod child;

use barewire_core::driver::{Event, Instant, Kernel, Trouble};
use barewire_linux::{BACKLOG, Epoll, Listener, Signal, Signals, limits};
use child::in_child;

#[test]
fn without_descriptors_accepting_is_exhausted_and_recovers() {
    let any = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(any, BACKLOG, false).unwrap();
    let addr = listener.local_addr().unwrap();
    let (mut epoll, _waker) = Epoll::new(listener).unwrap();
    let _client = std::net::TcpStream::connect(addr).unwrap();
    let until = Instant(epoll.now().0 + 5_000_000_000);
    assert_eq!(epoll.poll(&mut [Event::default()], Some(until)).unwrap(), 1);
    assert!(in_child(|| {
        let (_, hard) = limits::descriptors();
        let allow = |soft: u64| {
            let limit = libc::rlimit {
                rlim_cur: soft as _,
                rlim_max: hard as _,
            };
            // SAFETY: the limit lives through the call.
            unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) == 0 }
        };
        // The connection stays in the queue meanwhile.
        let poor = allow(0) && epoll.accept().err() == Some(Trouble::Exhausted);
        let again = limits::raise_descriptors(hard).is_ok_and(|got| got == hard);
        poor && again && epoll.accept().is_ok()
    }));
}
