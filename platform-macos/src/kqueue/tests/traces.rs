//! What the manual pages promise, as records: what the kernel says then, and what it asks.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;

use barewire_core::driver::{Event, Instant, Kernel, LISTENER, Trouble, WAKER};
use rustix::io::Errno;

use super::script::{Script, number};
use crate::event::{Filter, Flags, Record};
use crate::kqueue::{Kqueue, Waker};
use crate::socket::{BACKLOG, Listener};

const NOTHING: Event = Event {
    token: 0,
    readable: false,
    writable: false,
    ended: false,
    broken: false,
};

fn kernel() -> (Kqueue<Script>, Waker<Script>, Script, SocketAddr) {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), BACKLOG, false).unwrap();
    let addr = listener.local_addr().unwrap();
    let script = Script::default();
    let (kernel, waker) = Kqueue::over(script.clone(), Some(listener)).unwrap();
    (kernel, waker, script, addr)
}

fn poll(kernel: &mut Kqueue<Script>) -> Vec<Event> {
    let mut events = [NOTHING; 8];
    let n = kernel.poll(&mut events, Some(Instant(0))).unwrap();
    events[..n].to_vec()
}

/// An accepted and registered connection.
pub(super) fn connect(
    kernel: &mut impl Kernel<Socket = OwnedFd>,
    addr: SocketAddr,
    token: u64,
) -> (TcpStream, OwnedFd) {
    let client = TcpStream::connect(addr).unwrap();
    let started = std::time::Instant::now();
    let socket = loop {
        match kernel.accept() {
            Ok((socket, _)) => break socket,
            Err(trouble) => assert_eq!(trouble, Trouble::WouldBlock),
        }
        assert!(started.elapsed().as_secs() < 5, "nothing to accept");
    };
    kernel.register(&socket, token).unwrap();
    (client, socket)
}

#[test]
fn a_socket_is_registered_once_for_edges_of_both_filters() {
    let (mut kernel, _waker, script, addr) = kernel();
    script.changes();
    let (_client, socket) = connect(&mut kernel, addr, 7);
    assert_eq!(script.changes(), 2);
    let registered = script.registered(&socket);
    let filters: Vec<Filter> = registered.iter().map(|one| one.0).collect();
    assert_eq!(filters, [Filter::Read, Filter::Write]);
    for (filter, flags, token) in registered {
        assert!(flags.has(Flags::CLEAR | Flags::RECEIPT), "{filter:?}");
        assert_eq!(token, 7);
    }
    // No call for it until it is closed, and none for that.
    script.bytes(&socket, 1);
    assert_eq!(poll(&mut kernel).len(), 1);
    kernel.close(socket, false);
    assert_eq!(script.changes(), 0);
    assert_eq!(script.notes(), 2, "the listener and the waker");
}

#[test]
fn every_record_has_its_meaning() {
    let reset = Errno::CONNRESET.raw_os_error() as u32;
    let (read, write, eof) = (Filter::Read, Filter::Write, Flags::EOF);
    let is = |marks: &str| Event {
        token: 7,
        readable: marks.contains('r'),
        writable: marks.contains('w'),
        ended: marks.contains('e'),
        broken: marks.contains('b'),
    };
    for (filter, flags, fflags, data, marks) in [
        (read, Flags::CLEAR, 0, 10, "r"),
        (write, Flags::CLEAR, 0, 100_000, "w"),
        // The end, with and without bytes before it.
        (read, eof, 0, 0, "re"),
        (read, eof, 0, 10, "re"),
        // A reset, with and without bytes before it.
        (read, eof, reset, 0, "rweb"),
        (read, eof, reset, 10, "rweb"),
        (write, eof, reset, 0, "rwb"),
        // Our own half-close is no break: what the peer still sends is read.
        (write, eof, 0, 0, "w"),
        // An error of the filter itself: the next call on the socket tells.
        (read, Flags::ERROR, 0, 9, "rwb"),
        (write, Flags::ERROR, 0, 9, "rwb"),
    ] {
        let (mut kernel, _waker, script, _addr) = kernel();
        let record = Record {
            ident: 99,
            filter,
            flags,
            fflags,
            data,
            udata: 7,
        };
        script.tells(&[record]);
        assert_eq!(poll(&mut kernel), [is(marks)], "{record:?}");
    }
}

#[test]
fn records_that_nobody_asked_for_are_left_out() {
    let (mut kernel, waker, script, _addr) = kernel();
    let strange = Record::change(3, Filter::Other(-99), Flags::NONE, 7);
    let signal = Record::change(15, Filter::Signal, Flags::NONE, 7);
    let read = Record::change(9, Filter::Read, Flags::NONE, 8);
    script.tells(&[strange, read, signal]);
    waker.wake();
    let tokens = |events: Vec<Event>| -> Vec<u64> { events.iter().map(|e| e.token).collect() };
    assert_eq!(tokens(poll(&mut kernel)), [8]);
    assert_eq!(tokens(poll(&mut kernel)), [WAKER]);
}

#[test]
fn both_filters_of_a_socket_are_two_events_of_one_batch() {
    let (mut kernel, _waker, script, addr) = kernel();
    let (_client, socket) = connect(&mut kernel, addr, 7);
    script.bytes(&socket, 5);
    script.happens(&socket, Filter::Write, Flags::NONE, 0, 4096);
    let events = poll(&mut kernel);
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.token == 7));
    assert!(events[0].readable && !events[0].writable);
    assert!(events[1].writable && !events[1].readable);
}

#[test]
fn an_edge_is_not_repeated() {
    let (mut kernel, _waker, script, addr) = kernel();
    let (_client, socket) = connect(&mut kernel, addr, 7);
    script.bytes(&socket, 5);
    script.bytes(&socket, 9);
    assert_eq!(poll(&mut kernel).len(), 1, "one edge, however much comes");
    assert_eq!(poll(&mut kernel), []);
    script.bytes(&socket, 12);
    assert_eq!(poll(&mut kernel).len(), 1);
}

#[test]
fn the_backlog_of_the_listener_is_one_edge() {
    let (mut kernel, _waker, script, _addr) = kernel();
    let listener = number(kernel.listener.as_ref().unwrap());
    let backlog = Record {
        data: 3,
        ..Record::change(listener, Filter::Read, Flags::CLEAR, LISTENER)
    };
    script.tells(&[backlog]);
    let expected = Event {
        token: LISTENER,
        readable: true,
        ..NOTHING
    };
    assert_eq!(poll(&mut kernel), [expected]);
    script.bytes(kernel.listener.as_ref().unwrap(), 3);
    assert_eq!(
        poll(&mut kernel),
        [expected],
        "registered under its own word"
    );
    assert_eq!(poll(&mut kernel), []);
}

#[test]
fn wakes_become_one_and_keep_their_word() {
    let (mut kernel, waker, _script, _addr) = kernel();
    let woken = Event {
        token: WAKER,
        readable: true,
        ..NOTHING
    };
    for wakes in [1, 2, 1000] {
        let waker = waker.clone();
        std::thread::spawn(move || (0..wakes).for_each(|_| waker.wake()))
            .join()
            .unwrap();
        assert_eq!(poll(&mut kernel), [woken], "{wakes}");
        assert_eq!(poll(&mut kernel), []);
    }
    drop(kernel);
    waker.wake();
}

#[test]
fn an_interrupted_wait_is_no_event_and_an_interrupted_wake_is_one() {
    let (mut kernel, waker, script, _addr) = kernel();
    script.interrupts(1);
    waker.wake();
    script.interrupts(1);
    assert_eq!(poll(&mut kernel), []);
    assert_eq!(poll(&mut kernel).len(), 1);
}

#[test]
fn an_interrupted_registration_is_made_again_and_not_for_ever() {
    let (mut kernel, _waker, script, addr) = kernel();
    let (_client, socket) = connect(&mut kernel, addr, 7);
    script.interrupts(3);
    kernel.register(&socket, 8).unwrap();
    assert_eq!(script.registered(&socket).len(), 2, "replaced, not added");
    assert!(script.registered(&socket).iter().all(|one| one.2 == 8));
    script.interrupts(100);
    assert_eq!(kernel.register(&socket, 9), Err(Trouble::Interrupted));
}

#[test]
fn a_refused_change_is_an_error_of_its_own_entry() {
    for (filter, error, expected) in [
        (Filter::Read, Errno::NOMEM, Err(Trouble::Exhausted)),
        (Filter::Write, Errno::NOMEM, Err(Trouble::Exhausted)),
        (Filter::Read, Errno::BADF, Err(Trouble::Other(libc::EBADF))),
        (Filter::Read, Errno::PIPE, Err(Trouble::Lost)),
        // Nobody reads there any more; what came before can still be read.
        (Filter::Write, Errno::PIPE, Ok(())),
    ] {
        let (mut kernel, _waker, script, addr) = kernel();
        let (_client, socket) = connect(&mut kernel, addr, 7);
        script.refuses(filter, error);
        assert_eq!(
            kernel.register(&socket, 7),
            expected,
            "{filter:?} {error:?}"
        );
    }
}

#[test]
fn a_registration_takes_no_event_out_of_the_queue() {
    let (mut kernel, waker, script, addr) = kernel();
    let (_client, one) = connect(&mut kernel, addr, 7);
    waker.wake();
    script.bytes(&one, 4);
    let (_client, _two) = connect(&mut kernel, addr, 8);
    let tokens: Vec<u64> = poll(&mut kernel).iter().map(|event| event.token).collect();
    assert_eq!(tokens, [WAKER, 7]);
}

#[test]
fn events_without_room_stay_in_the_queue() {
    let (mut kernel, waker, script, addr) = kernel();
    let (_client, socket) = connect(&mut kernel, addr, 7);
    waker.wake();
    script.bytes(&socket, 4);
    let mut one = [NOTHING];
    for expected in [Some(WAKER), Some(7), None] {
        let n = kernel.poll(&mut one, None).unwrap();
        let told = one[..n].first().map(|event| event.token);
        assert_eq!(told, expected);
    }
}

#[test]
fn deleting_what_is_not_registered_is_no_trouble() {
    let (mut kernel, _waker, script, addr) = kernel();
    script.refuses(Filter::Read, Errno::NOENT);
    kernel.stop_listening();
    kernel.stop_listening();
    assert_eq!(kernel.accept().unwrap_err(), Trouble::WouldBlock);
    assert!(TcpStream::connect(addr).is_err());
    assert_eq!(script.notes(), 1, "the waker alone");
}

#[test]
fn waits_end_in_time_and_are_never_too_long_for_the_system() {
    let (mut kernel, _waker, script, _addr) = kernel();
    let mut wait = |until| {
        kernel.poll(&mut [NOTHING; 4], until).unwrap();
        script.last_wait().map(|wait| wait.as_nanos())
    };
    assert_eq!(wait(None), None);
    assert_eq!(wait(Some(Instant(0))), Some(0));
    assert_eq!(wait(Some(Instant(u64::MAX))), Some(86_400_000_000_000));
    let soon = Instant(crate::clock::now().0 + 5_000_000_000);
    let nanos = wait(Some(soon)).unwrap();
    assert!((4_000_000_000..=5_000_000_000).contains(&nanos), "{nanos}");
}
