//! Nothing is allocated after the start.
//!
//! This test is two processes. The parent runs the server over an allocator that can be sealed; the
//! child (the same program, told so by a variable) is its client. After a few requests of each kind
//! the child says so, the parent seals the allocator, and the child sends 10,000 more over every
//! route, right and wrong, whole and in pieces, and breaks many of them off. It lets deadlines of
//! every kind pass, crowds the server, fills its table of users, and looks on while it stops: in
//! good order, and then by force. Each allocation and each release in the server's process is one
//! too many, but for the releases of the threads that end.
//!
//! Not here: a handler that panics. It is answered and counted, but the standard library allocates
//! for the message of a panic.

mod sealable;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use barewire::challenge::{Board, Options};
use barewire::{Config, Server};
use barewire_core::stats::Capacity;
use barewire_tests::hardship::{UnderWay, hardship};
use barewire_tests::mixture::{crowd, load};
use sealable::{ALLOCATIONS, FIRST, RELEASES, SEALED};

/// Where the client finds the server and the parent: two addresses with a blank between.
const VARIABLE: &str = "BAREWIRE_SEALED_CLIENT";

#[test]
fn ten_thousand_requests_over_every_route_allocate_nothing() {
    if let Ok(addresses) = std::env::var(VARIABLE) {
        let (server, parent) = addresses.split_once(' ').unwrap();
        return client(server.parse().unwrap(), parent.parse().unwrap());
    }
    let mut config = Config {
        bind: ([127, 0, 0, 1], 0).into(),
        workers: 2,
        connections: 64,
        // Fewer, so that a crowd makes them scarce, and heads have to give way after 1 s.
        slots: 48,
        ..Config::default()
    };
    // So that deadlines pass while it is sealed.
    let limits = &mut config.limits;
    (limits.head_ms, limits.linger_ms) = (1500, 500);
    (limits.first_byte_ms, limits.request_ms) = (1000, 1000);
    (limits.pace_ms, limits.send_ms, limits.idle_ms) = (1000, 1000, 2000);
    let options = Options {
        // Enough for the mixture between its resets, and soon full.
        capacity: Capacity {
            users_max: 2000,
            id_bytes_max: 1 << 20,
        },
        ..Options::default()
    };
    let board = Board::new(options, 2).unwrap();
    let server = Server::start(&config, move |number| board.worker(number)).unwrap();
    let handle = server.handle();
    let control = TcpListener::bind("127.0.0.1:0").unwrap();
    let addresses = format!("{} {}", server.local_addr(), control.local_addr().unwrap());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "ten_thousand_requests_over_every_route_allocate_nothing",
        ])
        .env(VARIABLE, addresses)
        .spawn()
        .unwrap();
    let (mut child_says, _) = control.accept().unwrap();
    child_says
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut word = [0];

    child_says.read_exact(&mut word).unwrap();
    SEALED.store(true, Ordering::SeqCst);
    child_says.write_all(b"s").unwrap();
    let served = child_says.read_exact(&mut word);
    handle.drain();
    let stopping = child_says.write_all(b"x");
    let stopped = child_says.read_exact(&mut word);
    let counts = [&ALLOCATIONS, &RELEASES].map(|counter| counter.load(Ordering::SeqCst));
    // Uploads are left: only force ends them, and the threads with them.
    let lasted = !server.is_done();
    handle.abort();
    let begin = Instant::now();
    while !server.is_done() && begin.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let allocations = ALLOCATIONS.load(Ordering::SeqCst);
    SEALED.store(false, Ordering::SeqCst);

    let success = child.wait().unwrap().success();
    let first = FIRST.lock().unwrap().take().unwrap_or_default();
    assert_eq!(
        counts,
        [0, 0],
        "allocations and releases; the first:\n{first}"
    );
    assert_eq!(allocations, 0, "the first at the end:\n{first}");
    let went = served.and(stopping).and(stopped);
    assert!(went.is_ok() && success, "the client failed: {went:?}");
    assert!(lasted && server.is_done());
    let tally = server.join();
    assert!(tally.requests > 10_000 && tally.panics == 0, "{tally:?}");
    // All of it happened: peers told 503, peers that gave way, faults of many kinds.
    assert!(
        tally.refused > 0 && tally.gave_way > 0 && tally.faults > 100,
        "{tally:?}"
    );
    // The counter counts.
    SEALED.store(true, Ordering::SeqCst);
    drop(std::hint::black_box(Box::new(1)));
    SEALED.store(false, Ordering::SeqCst);
    assert!(ALLOCATIONS.load(Ordering::SeqCst) > 0 && RELEASES.load(Ordering::SeqCst) > 0);
}

/// The other process.
fn client(server: SocketAddr, parent: SocketAddr) {
    let mut parent = TcpStream::connect(parent).unwrap();
    let mut word = [0];
    for turn in 0..3 {
        load(server, turn);
    }
    hardship(server);
    parent.write_all(b"w").unwrap();
    parent.read_exact(&mut word).unwrap();
    let mut sent = 0;
    for turn in 3.. {
        sent += load(server, turn);
        if sent >= 10_000 {
            break;
        }
    }
    crowd(server);
    hardship(server);
    let mut under_way = UnderWay::begin(server);
    parent.write_all(b"d").unwrap();
    parent.read_exact(&mut word).unwrap();
    under_way.see_the_stop();
    parent.write_all(b"g").unwrap();
    under_way.see_the_end();
}
