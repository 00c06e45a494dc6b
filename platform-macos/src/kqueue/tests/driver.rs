//! The real [`Readiness`] over scripted records and real sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use barewire_core::buffer::{RecvBuffer, SendBuffer, Slot};
use barewire_core::driver::{
    Completion, Driver, Entry, Kernel, PeerId, Readiness, Received, Slots,
};
use rustix::io::Errno;

use super::script::Script;
use crate::event::{Filter, Flags, Record};
use crate::kqueue::{Kqueue, Waker};
use crate::socket::{BACKLOG, Listener, bind_group};
use crate::table::Group;

/// A driver with places for 4 connections and 4 slots. Memory is leaked: the tests are short.
struct Bench {
    driver: Readiness<'static, Kqueue<Script>>,
    slots: Slots<'static>,
    script: Script,
    waker: Waker<Script>,
    addr: SocketAddr,
}

impl Bench {
    fn new() -> Bench {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), BACKLOG, false).unwrap();
        let addr = listener.local_addr().unwrap();
        let script = Script::default();
        let (kernel, waker) = Kqueue::over(script.clone(), Some(listener)).unwrap();
        let mut slots = Slots::new(Box::leak(Box::new([const { None }; 4])));
        while slots.free() < slots.capacity() {
            let rx: &'static mut RecvBuffer = Box::leak(Box::new(RecvBuffer::<[u8; 64]>::new()));
            let tx: &'static mut SendBuffer = Box::leak(Box::new(SendBuffer::<[u8; 64]>::new()));
            slots.give(Slot { rx, tx });
        }
        let entries: Vec<Entry<OwnedFd>> = (0..4).map(|_| Entry::new()).collect();
        Bench {
            driver: Readiness::new(kernel, entries.leak()),
            slots,
            script,
            waker,
            addr,
        }
    }

    fn turn(&mut self) -> Vec<Completion> {
        let now = self.driver.now();
        self.driver.wait(&mut self.slots, Some(now)).unwrap();
        std::iter::from_fn(|| self.driver.next(&mut self.slots)).collect()
    }

    /// A new connection, with a receive in flight.
    fn connect(&mut self) -> (TcpStream, PeerId) {
        let client = TcpStream::connect(self.addr).unwrap();
        let started = Instant::now();
        loop {
            // The listener's number is known to the adaptor alone; its edge is told by the word.
            let edge = Record::change(
                0,
                Filter::Read,
                Flags::CLEAR,
                barewire_core::driver::LISTENER,
            );
            self.script.tells(&[edge]);
            for completion in self.turn() {
                if let Completion::Accepted { peer, .. } = completion {
                    self.driver.recv(peer, None);
                    return (client, peer);
                }
            }
            assert!(started.elapsed() < Duration::from_secs(5));
        }
    }

    /// Tells of this peer, whatever is registered.
    fn tell(&self, peer: PeerId, filter: Filter, flags: Flags, fflags: u32, data: i64) -> Record {
        Record {
            ident: 1000,
            filter,
            flags,
            fflags,
            data,
            udata: peer.to_word(),
        }
    }

    /// All that the peer received until nothing more comes, and how it ended.
    fn receive_all(&mut self, peer: PeerId) -> (Vec<u8>, &'static str) {
        let mut all = Vec::new();
        for _ in 0..20 {
            for completion in self.turn() {
                match completion {
                    Completion::Received { rx, tx, what, .. } => {
                        all.extend_from_slice(rx.unread());
                        if let Some(tx) = tx {
                            self.slots.give(Slot { rx, tx });
                        }
                        if what == Received::End {
                            return (all, "end");
                        }
                        self.driver.recv(peer, None);
                    }
                    Completion::Ended { .. } => return (all, "end"),
                    Completion::Lost { .. } => return (all, "lost"),
                    _ => {}
                }
            }
        }
        (all, "open")
    }
}

/// Until what was sent is there: loopback is fast, but not at once.
fn settle() {
    std::thread::sleep(Duration::from_millis(20));
}

#[test]
fn data_comes_before_its_end_and_the_end_comes() {
    let mut bench = Bench::new();
    let (mut client, peer) = bench.connect();
    client.write_all(b"last words").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    settle();
    // One edge for both, and no other.
    let eof = bench.tell(peer, Filter::Read, Flags::EOF, 0, 10);
    bench.script.tells(&[eof]);
    assert_eq!(bench.receive_all(peer), (b"last words".to_vec(), "end"));
}

#[test]
fn an_end_without_data_is_told_at_once() {
    let mut bench = Bench::new();
    let (client, peer) = bench.connect();
    client.shutdown(Shutdown::Write).unwrap();
    settle();
    let eof = bench.tell(peer, Filter::Read, Flags::EOF, 0, 0);
    bench.script.tells(&[eof]);
    assert_eq!(bench.receive_all(peer), (Vec::new(), "end"));
    assert_eq!(bench.slots.free(), 4, "an end keeps no slot");
}

#[test]
fn an_error_of_the_socket_is_a_loss() {
    let mut bench = Bench::new();
    let (client, peer) = bench.connect();
    rustix::net::sockopt::set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
    drop(client);
    settle();
    let reset = Errno::CONNRESET.raw_os_error() as u32;
    let eof = bench.tell(peer, Filter::Read, Flags::EOF, reset, 0);
    bench.script.tells(&[eof]);
    assert_eq!(bench.receive_all(peer), (Vec::new(), "lost"));
}

#[test]
fn after_our_own_half_close_the_peer_is_still_heard() {
    let mut bench = Bench::new();
    let (mut client, peer) = bench.connect();
    bench.driver.shutdown(peer);
    let ours = bench.tell(peer, Filter::Write, Flags::EOF, 0, 0);
    bench.script.tells(&[ours]);
    assert_eq!(bench.receive_all(peer), (Vec::new(), "open"));
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
    client.write_all(b"still here").unwrap();
    settle();
    let bytes = bench.tell(peer, Filter::Read, Flags::NONE, 0, 10);
    bench.script.tells(&[bytes]);
    assert_eq!(bench.receive_all(peer), (b"still here".to_vec(), "open"));
}

#[test]
fn a_wake_is_told_among_other_events() {
    let mut bench = Bench::new();
    let (mut client, peer) = bench.connect();
    client.write_all(b"x").unwrap();
    settle();
    bench.waker.wake();
    bench.waker.wake();
    let socket = bench.tell(peer, Filter::Write, Flags::NONE, 0, 100);
    bench.script.tells(&[socket]);
    assert!(bench.turn().is_empty());
    let woken = bench.turn();
    assert!(matches!(woken[..], [Completion::Notified]), "{woken:?}");
    assert!(bench.turn().is_empty());
}

#[test]
fn an_event_of_a_closed_connection_does_not_hit_the_next_at_its_place() {
    let mut bench = Bench::new();
    let (_client, old) = bench.connect();
    let _ = bench.driver.close(old, false);
    let (mut client, new) = bench.connect();
    assert_eq!(new.index, old.index, "the same place");
    assert_ne!(new.generation, old.generation);
    client.write_all(b"new").unwrap();
    settle();
    let reset = Errno::CONNRESET.raw_os_error() as u32;
    let stale = [
        bench.tell(old, Filter::Read, Flags::EOF, reset, 0),
        bench.tell(old, Filter::Write, Flags::EOF, reset, 0),
        bench.tell(old, Filter::Read, Flags::ERROR, 0, 9),
    ];
    bench.script.tells(&stale);
    assert!(bench.turn().is_empty(), "the new one has heard nothing yet");
    let bytes = bench.tell(new, Filter::Read, Flags::NONE, 0, 3);
    bench.script.tells(&[bytes]);
    assert_eq!(bench.receive_all(new), (b"new".to_vec(), "open"));
}

#[test]
fn a_closed_connection_leaves_nothing_registered() {
    let mut bench = Bench::new();
    assert_eq!(bench.script.notes(), 2);
    let (_client, peer) = bench.connect();
    assert_eq!(bench.script.notes(), 4);
    let _ = bench.driver.close(peer, true);
    assert_eq!(bench.script.notes(), 2);
}

#[test]
fn a_refused_registration_refuses_the_connection() {
    let mut bench = Bench::new();
    bench.script.refuses(Filter::Write, Errno::NOMEM);
    let mut client = TcpStream::connect(bench.addr).unwrap();
    settle();
    assert!(bench.turn().is_empty());
    assert!(client.read(&mut [0; 8]).is_err(), "reset");
    assert_eq!(bench.script.notes(), 2);
}

#[test]
fn a_seat_is_a_kernel_in_the_table_of_the_process() {
    let listeners = bind_group("127.0.0.1:0".parse().unwrap(), BACKLOG, 1).unwrap();
    let addr = listeners[0].local_addr().unwrap();
    let script = Script::default();
    let (group, seats) = Group::over(listeners, || Ok(script.clone())).unwrap();
    assert_eq!((group.wakers().count(), seats.len()), (1, 1));
    for seat in seats {
        let (mut kernel, is_own) = seat.take(true).unwrap();
        assert!(!is_own);
        // The listener is where it was, with or without the group.
        let _client = TcpStream::connect(addr).unwrap();
        let started = Instant::now();
        while kernel.accept().is_err() {
            assert!(started.elapsed() < Duration::from_secs(5));
        }
    }
    drop(group);
    assert!(TcpStream::connect(addr).is_err());
}
