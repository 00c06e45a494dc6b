//! The contract of [`Kernel`], over real loopback connections: one table of cases for every
//! platform. The module above says what it is tried on: a `Platform`, and how to `open` one.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::time::Duration;

use barewire_core::driver::{Event, Instant, Kernel, LISTENER, Trouble, WAKER};
use rustix::net::sockopt;

use super::{Platform, Waker, open};
use crate::limits::raise_descriptors;
use crate::socket::{BACKLOG, Listener};

/// Events taken from the system with one call; as many on every platform.
const BATCH: usize = 256;
/// Nanoseconds in a millisecond.
const MS: u64 = 1_000_000;
/// Longer than anything here takes, in milliseconds: a test that waits so long has failed.
const LONG_MS: u64 = 5_000;
/// Long enough for loopback to deliver what it would, in milliseconds.
pub(super) const QUIET_MS: u64 = 30;

fn listen() -> (Listener, SocketAddr) {
    let any = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(any, BACKLOG, false).unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// A kernel, its waker, and where it listens.
pub(super) fn kernel() -> (Platform, Waker, SocketAddr) {
    let (listener, addr) = listen();
    let (kernel, waker) = open(listener);
    (kernel, waker, addr)
}

/// The next events, after at most `ms` milliseconds.
pub(super) fn poll(kernel: &mut Platform, ms: u64) -> Vec<Event> {
    let mut events = [Event::default(); 16];
    let until = Instant(kernel.now().0 + ms * MS);
    let n = kernel.poll(&mut events, Some(until)).unwrap();
    events[..n].to_vec()
}

/// Polls until `found`; all that came until then was something else.
pub(super) fn poll_until(kernel: &mut Platform, found: impl Fn(&Event) -> bool) -> Event {
    let until = Instant(kernel.now().0 + LONG_MS * MS);
    while kernel.now() < until {
        if let Some(event) = poll(kernel, LONG_MS).into_iter().find(&found) {
            return event;
        }
    }
    panic!("the event does not come");
}

/// A connection: the client's end, and ours, accepted.
pub(super) fn connect(kernel: &mut Platform, addr: SocketAddr) -> (TcpStream, OwnedFd) {
    let client = TcpStream::connect(addr).unwrap();
    client
        .set_read_timeout(Some(Duration::from_millis(LONG_MS)))
        .unwrap();
    client
        .set_write_timeout(Some(Duration::from_millis(LONG_MS)))
        .unwrap();
    let until = Instant(kernel.now().0 + LONG_MS * MS);
    loop {
        match kernel.accept() {
            Ok((socket, from)) => {
                assert_eq!(from.socket_addr(), client.local_addr().unwrap());
                assert_eq!(kernel.local(&socket).unwrap().socket_addr(), addr);
                return (client, socket);
            }
            Err(trouble) => assert_eq!(trouble, Trouble::WouldBlock),
        }
        assert!(kernel.now() < until, "nothing to accept");
    }
}

/// Reads until an error or the end; bounded by the kernel's time.
fn recv_until_trouble(kernel: &mut Platform, socket: &OwnedFd) -> Result<usize, Trouble> {
    let until = Instant(kernel.now().0 + LONG_MS * MS);
    while kernel.now() < until {
        match kernel.recv(socket, &mut [0; 4096]) {
            Ok(0) => return Ok(0),
            Ok(_) | Err(Trouble::WouldBlock) => std::thread::yield_now(),
            Err(trouble) => return Err(trouble),
        }
    }
    panic!("neither end nor trouble");
}

#[test]
fn accepting_nothing_would_block() {
    let (mut kernel, _waker, addr) = kernel();
    assert_eq!(kernel.accept().unwrap_err(), Trouble::WouldBlock);
    let _client = TcpStream::connect(addr).unwrap();
    let event = poll_until(&mut kernel, |event| event.token == LISTENER);
    assert!(event.readable && !event.broken);
    kernel.accept().unwrap();
    assert_eq!(kernel.accept().unwrap_err(), Trouble::WouldBlock);
}

#[test]
fn the_edge_of_the_listener_is_not_repeated() {
    let (mut kernel, _waker, addr) = kernel();
    let _first = TcpStream::connect(addr).unwrap();
    poll_until(&mut kernel, |event| event.token == LISTENER);
    assert_eq!(poll(&mut kernel, QUIET_MS), []);
    let _second = TcpStream::connect(addr).unwrap();
    poll_until(&mut kernel, |event| event.token == LISTENER);
    kernel.accept().unwrap();
    kernel.accept().unwrap();
}

#[test]
fn an_accepted_socket_has_all_its_properties() {
    let (mut kernel, _waker, addr) = kernel();
    let (_client, socket) = connect(&mut kernel, addr);
    assert!(
        sockopt::tcp_nodelay(&socket).unwrap(),
        "inherited from the listener"
    );
    let flags = rustix::io::fcntl_getfd(&socket).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    assert_eq!(
        kernel.recv(&socket, &mut [0; 8]),
        Err(Trouble::WouldBlock),
        "non-blocking"
    );
}

#[test]
fn an_edge_is_not_repeated() {
    let (mut kernel, _waker, addr) = kernel();
    let (mut client, socket) = connect(&mut kernel, addr);
    kernel.register(&socket, 7).unwrap();
    let event = poll_until(&mut kernel, |event| event.token == 7);
    assert!(
        event.writable && !event.readable,
        "there is room from the start"
    );

    client.write_all(b"first").unwrap();
    let event = poll_until(&mut kernel, |event| event.token == 7);
    assert!(event.readable && !event.ended && !event.broken);
    // Nothing was read, and nothing is told again.
    assert_eq!(poll(&mut kernel, QUIET_MS), []);

    client.write_all(b"second").unwrap();
    assert!(poll_until(&mut kernel, |event| event.token == 7).readable);
    let mut into = [0; 64];
    let n = kernel.recv(&socket, &mut into).unwrap();
    assert_eq!(&into[..n], b"firstsecond");
    assert_eq!(kernel.recv(&socket, &mut into), Err(Trouble::WouldBlock));
}

#[test]
fn data_and_end_share_one_edge() {
    let (mut kernel, _waker, addr) = kernel();
    let (mut client, socket) = connect(&mut kernel, addr);
    client.write_all(b"last words").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    kernel.register(&socket, 7).unwrap();
    let event = poll_until(&mut kernel, |event| event.token == 7 && event.ended);
    assert!(event.readable && !event.broken);
    let mut into = [0; 64];
    assert_eq!(kernel.recv(&socket, &mut into), Ok(10));
    assert_eq!(
        poll(&mut kernel, QUIET_MS),
        [],
        "no further edge tells of the end"
    );
    assert_eq!(kernel.recv(&socket, &mut into), Ok(0));

    // Half-closed: the answer still arrives, and then our end.
    assert_eq!(kernel.send(&socket, b"answer"), Ok(6));
    kernel.shutdown(&socket);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answer");
}

#[test]
fn a_full_socket_would_block_and_tells_when_there_is_room() {
    let (mut kernel, _waker, addr) = kernel();
    let (mut client, socket) = connect(&mut kernel, addr);
    kernel.register(&socket, 7).unwrap();
    poll_until(&mut kernel, |event| event.token == 7 && event.writable);
    let bytes = vec![b'x'; 1 << 16];
    let mut sent = 0;
    let full = loop {
        match kernel.send(&socket, &bytes) {
            Ok(n) => sent += n,
            Err(trouble) => break trouble,
        }
        assert!(sent < 1 << 30, "no buffer is that large");
    };
    assert_eq!(full, Trouble::WouldBlock);
    let reader = std::thread::spawn(move || {
        let mut left = sent;
        let mut into = vec![0; 1 << 16];
        while left > 0 {
            // What is sent below may be among it.
            left = left.saturating_sub(client.read(&mut into).unwrap());
        }
        client
    });
    poll_until(&mut kernel, |event| event.token == 7 && event.writable);
    assert!(kernel.send(&socket, b"more").is_ok());
    reader.join().unwrap();
}

#[test]
fn another_thread_wakes_and_wakes_become_one() {
    let (mut kernel, waker, _addr) = kernel();
    for wakes in [1, 2, 1000] {
        let waker = waker.clone();
        let thread = std::thread::spawn(move || (0..wakes).for_each(|_| waker.wake()));
        let event = poll_until(&mut kernel, |_| true);
        assert_eq!(event.token, WAKER);
        thread.join().unwrap();
        // Those that came after the first look.
        assert!(poll(&mut kernel, QUIET_MS).len() <= 1);
        assert_eq!(poll(&mut kernel, 0), [], "drained");
    }
    waker.wake();
    waker.wake();
    assert_eq!(poll(&mut kernel, 0).len(), 1);
    assert_eq!(poll(&mut kernel, 0), []);
}

#[test]
fn a_wake_after_the_worker_is_gone_is_harmless() {
    let (kernel, waker, _addr) = kernel();
    drop(kernel);
    waker.wake();
}

/// Whether SIGPIPE, blocked by the caller, is pending.
fn sigpipe_pending() -> bool {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: `set` is room for one set, which the call fills.
    assert_eq!(unsafe { libc::sigpending(set.as_mut_ptr()) }, 0);
    // SAFETY: the call has succeeded, so the set is initialised.
    let set = unsafe { set.assume_init() };
    // SAFETY: the set is initialised, the number is a signal's.
    unsafe { libc::sigismember(&set, libc::SIGPIPE) == 1 }
}

#[test]
fn sending_to_a_closed_peer_is_a_loss_without_a_signal() {
    // In a thread of its own, as its mask is changed. A blocked signal stays pending even if it is
    // ignored, so it can be seen.
    std::thread::spawn(|| {
        let mut set = std::mem::MaybeUninit::uninit();
        // SAFETY: `set` is room for one set, which the call fills.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        // SAFETY: the call above cannot fail.
        let mut set = unsafe { set.assume_init() };
        // SAFETY: the set is initialised, the number is a signal's.
        unsafe { libc::sigaddset(&mut set, libc::SIGPIPE) };
        // SAFETY: the set is initialised, the old mask is not asked for.
        let failed = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut()) };
        assert_eq!(failed, 0);

        let (mut kernel, _waker, addr) = kernel();
        let (client, socket) = connect(&mut kernel, addr);
        drop(client);
        let until = Instant(kernel.now().0 + LONG_MS * MS);
        let mut losses = 0;
        while losses < 2 && kernel.now() < until {
            // First the reset that the peer answered with, then the broken pipe.
            match kernel.send(&socket, b"anybody there?") {
                Ok(_) => std::thread::yield_now(),
                Err(trouble) => {
                    assert_eq!(trouble, Trouble::Lost);
                    losses += 1;
                }
            }
        }
        assert_eq!(losses, 2);
        assert!(!sigpipe_pending());
        if cfg!(target_os = "linux") {
            // The control: a plain write does raise it. (Elsewhere the socket itself never does.)
            assert!(rustix::io::write(&socket, b"x").is_err());
            assert!(sigpipe_pending());
        }
    })
    .join()
    .unwrap();
}

#[test]
fn a_peers_reset_is_broken_and_lost() {
    let (mut kernel, _waker, addr) = kernel();
    let (client, socket) = connect(&mut kernel, addr);
    kernel.register(&socket, 7).unwrap();
    sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
    drop(client);
    let event = poll_until(&mut kernel, |event| event.token == 7 && event.broken);
    assert!(event.readable && event.writable);
    assert_eq!(recv_until_trouble(&mut kernel, &socket), Err(Trouble::Lost));
}

#[test]
fn a_close_ends_and_an_abort_resets() {
    let (mut kernel, _waker, addr) = kernel();
    let (mut client, socket) = connect(&mut kernel, addr);
    kernel.send(&socket, b"bye").unwrap();
    kernel.close(socket, false);
    let mut all = Vec::new();
    client.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"bye");

    let (mut client, socket) = connect(&mut kernel, addr);
    kernel.close(socket, true);
    let error = client.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_closed_socket_tells_nothing_more() {
    let (mut kernel, _waker, addr) = kernel();
    let (mut client, socket) = connect(&mut kernel, addr);
    kernel.register(&socket, 7).unwrap();
    poll_until(&mut kernel, |event| event.token == 7);
    kernel.close(socket, false);
    let _ = client.write_all(b"too late");
    drop(client);
    // The listener's edge may come: it is older than this connection.
    assert!(
        poll(&mut kernel, QUIET_MS)
            .iter()
            .all(|event| event.token == LISTENER)
    );
}

#[test]
fn after_the_listening_stops_connections_are_refused() {
    let (mut kernel, _waker, addr) = kernel();
    let (mut client, socket) = connect(&mut kernel, addr);
    kernel.register(&socket, 7).unwrap();
    kernel.stop_listening();
    kernel.stop_listening();
    assert_eq!(kernel.accept().unwrap_err(), Trouble::WouldBlock);
    let refused = TcpStream::connect(addr).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    // What is open goes on.
    client.write_all(b"still here").unwrap();
    poll_until(&mut kernel, |event| event.token == 7 && event.readable);
}

#[test]
fn more_events_than_a_batch_come_with_the_next_polls() {
    let (mut kernel, _waker, _addr) = kernel();
    raise_descriptors(2000).unwrap();
    // Each has room to send from the start, and nothing to read.
    let (ready, _others): (Vec<OwnedFd>, Vec<UnixStream>) = (0..BATCH + 44)
        .map(|_| UnixStream::pair().unwrap())
        .map(|(one, other)| (OwnedFd::from(one), other))
        .unzip();
    for (token, fd) in ready.iter().enumerate() {
        kernel.register(fd, token as u64).unwrap();
    }
    let mut events = vec![Event::default(); ready.len()];
    let mut seen = vec![false; ready.len()];
    for expected in [BATCH, 44, 0] {
        let n = kernel.poll(&mut events, Some(Instant(0))).unwrap();
        assert_eq!(n, expected);
        for event in &events[..n] {
            let seen = &mut seen[event.token as usize];
            assert!(!std::mem::replace(seen, true), "told twice");
        }
    }
    assert!(seen.into_iter().all(|seen| seen));
}

#[test]
fn no_more_events_are_written_than_there_is_room_for() {
    let (mut kernel, waker, addr) = kernel();
    let _client = TcpStream::connect(addr).unwrap();
    waker.wake();
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let mut one = [Event::default()];
        let until = Instant(kernel.now().0 + LONG_MS * MS);
        assert_eq!(kernel.poll(&mut one, Some(until)).unwrap(), 1);
        tokens.push(one[0].token);
    }
    tokens.sort_unstable();
    assert_eq!(tokens, [WAKER, LISTENER]);
}

#[test]
fn a_wait_is_exact_to_less_than_a_millisecond() {
    let (mut kernel, _waker, _addr) = kernel();
    let mut best = u64::MAX;
    for _ in 0..50 {
        let start = kernel.now();
        let until = Instant(start.0 + 200_000);
        assert_eq!(
            kernel
                .poll(&mut [Event::default(); 4], Some(until))
                .unwrap(),
            0
        );
        assert!(kernel.now() >= until, "never early");
        best = best.min(kernel.now().nanos_since(start));
    }
    assert!(best < MS, "200 us took {best} ns at best");
}

#[test]
fn a_point_in_the_past_does_not_block() {
    let (mut kernel, waker, _addr) = kernel();
    let mut events = [Event::default(); 4];
    assert_eq!(kernel.poll(&mut events, Some(Instant(0))).unwrap(), 0);
    waker.wake();
    assert_eq!(kernel.poll(&mut events, Some(Instant(0))).unwrap(), 1);
    waker.wake();
    let never = Some(Instant(u64::MAX));
    assert_eq!(
        kernel.poll(&mut events, never).unwrap(),
        1,
        "584 years are no mistake"
    );
}

#[test]
fn an_interruption_counts_as_no_event() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: all-zero is a valid `sigaction`: no flags (so no restart), an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: the handler does nothing, which is allowed in one; the old action is not asked for.
    let failed = unsafe { libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()) };
    assert_eq!(failed, 0);

    let (mut kernel, _waker, _addr) = kernel();
    // SAFETY: takes no arguments, cannot fail.
    let me = unsafe { libc::pthread_self() };
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
                // SAFETY: the thread waits in this scope for this one to end, so it is alive.
                unsafe { libc::pthread_kill(me, libc::SIGUSR1) };
            }
        });
        let start = kernel.now();
        assert_eq!(poll(&mut kernel, LONG_MS), []);
        assert!(
            kernel.now().nanos_since(start) < LONG_MS * MS,
            "it came back early"
        );
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn a_second_owner_of_the_listener_does_not_keep_it_registered() {
    let (listener, addr) = listen();
    let _copy = listener.as_fd().try_clone_to_owned().unwrap();
    let (mut kernel, _waker) = open(listener);
    kernel.stop_listening();
    let _client = TcpStream::connect(addr).expect("the other owner still listens");
    assert_eq!(poll(&mut kernel, QUIET_MS), []);
}
