//! What a queue for several threads promises, over real connections: the same on every platform.
//! The module above says what it is tried on: a `Platform`, and how to `open` one.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use barewire_core::driver::{Instant, Turn};

use super::{Platform, open};
use crate::clock::now;

/// Longer than anything here takes, in nanoseconds.
const LONG: u64 = 5_000_000_000;
/// Long enough for loopback to deliver what it would, in nanoseconds.
const QUIET: u64 = 30_000_000;

fn next(queue: &Platform, nanos: u64) -> Option<Turn> {
    queue.next(Some(Instant(now().0 + nanos))).unwrap()
}

/// The client's end, and ours.
fn pair() -> (TcpStream, OwnedFd) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0.into())
}

fn read(socket: &OwnedFd, bytes: &mut [u8]) -> usize {
    let mut stream = TcpStream::from(socket.try_clone().unwrap());
    stream.read(bytes).unwrap()
}

#[test]
fn an_event_is_told_once_until_its_turn_is_given_back() {
    let queue = open();
    let (mut client, socket) = pair();
    queue.watch(&socket, u64::MAX - 7).unwrap();
    assert_eq!(next(&queue, QUIET), None);
    client.write_all(b"one").unwrap();
    let turn = next(&queue, LONG).unwrap();
    assert_eq!(turn.word(), u64::MAX - 7);
    // Neither what is unread nor what comes is told to anybody.
    client.write_all(b"two").unwrap();
    assert_eq!(next(&queue, QUIET), None);
    queue.again(&socket, turn).unwrap();
    let turn = next(&queue, LONG).unwrap();
    assert_eq!(read(&socket, &mut [0; 16]), 6);
    // All is read: nothing, until more comes.
    queue.again(&socket, turn).unwrap();
    assert_eq!(next(&queue, QUIET), None);
    drop(client);
    let turn = next(&queue, LONG).unwrap();
    assert_eq!(read(&socket, &mut [0; 16]), 0, "the end");
    drop((turn, socket));
    assert_eq!(next(&queue, QUIET), None);
}

#[test]
fn what_was_there_before_is_told() {
    let queue = open();
    let (mut client, socket) = pair();
    client.write_all(b"early").unwrap();
    drop(client);
    queue.watch(&socket, 3).unwrap();
    assert_eq!(next(&queue, LONG).unwrap(), Turn::of(3));
}

#[test]
fn of_several_threads_that_wait_one_gets_it() {
    let queue = open();
    let (mut client, socket) = pair();
    queue.watch(&socket, 1).unwrap();
    let told = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let got = next(&queue, 10 * QUIET).is_some();
                told.fetch_add(usize::from(got), Ordering::Relaxed);
            });
        }
        thread::sleep(std::time::Duration::from_nanos(QUIET));
        client.write_all(b"x").unwrap();
    });
    assert_eq!(told.into_inner(), 1);
}

#[test]
fn a_connection_never_has_two_owners() {
    const CONNECTIONS: usize = 8;
    const BYTES: usize = 20_000;
    let queue = open();
    // Beside the socket stands what belongs to its owner: bytes read.
    let mut clients = Vec::new();
    let owned: Vec<_> = (0..CONNECTIONS as u64)
        .map(|word| {
            let (client, socket) = pair();
            queue.watch(&socket, word).unwrap();
            clients.push(client);
            (socket, Mutex::new(0))
        })
        .collect();
    let ended = AtomicUsize::new(0);
    let end = now().0 + 2 * LONG;
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while ended.load(Ordering::Relaxed) < CONNECTIONS {
                    assert!(now().0 < end, "it takes too long");
                    let Some(turn) = next(&queue, QUIET) else {
                        continue;
                    };
                    let (socket, count) = &owned[turn.word() as usize];
                    let mut count = count.try_lock().expect("two owners");
                    let got = read(socket, &mut [0; 100]);
                    *count += got;
                    if got == 0 {
                        ended.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    // From here on it is anybody's.
                    drop(count);
                    queue.again(socket, turn).unwrap();
                }
            });
        }
        for client in clients {
            scope.spawn(move || {
                let mut client = client;
                for piece in vec![b'x'; BYTES].chunks(37) {
                    client.write_all(piece).unwrap();
                }
            });
        }
    });
    for (_, count) in owned {
        assert_eq!(count.into_inner().unwrap(), BYTES);
    }
}
