//! What a connection costs that rests.

use std::time::Duration;

use barewire_tests::client::{Client, request};
use barewire_tests::drill::{Barewire, Close, Manner, Swarm, proc};

use super::{PATIENCE, alone, ask, open, say, serve};

/// Connections that rest.
const RESTING: usize = 10_000;
/// Bytes of memory for each of them, tables included, slots and all else that grows with them.
const RSS_EACH: u64 = 300;

/// The memory of a server whose workers have made their tables: each answers somebody.
fn settled(server: &Barewire) -> i64 {
    for _ in 0..8 * server.workers() {
        let ping = request("GET", "/ping", b"");
        assert_eq!(Client::new(server.addr()).ask(&ping).status, 200);
    }
    proc::rss(server.pid()) as i64
}

/// Memory of a server before, and with ten thousand connections that were answered and rest,
/// `at_once` of which ask at a time: bytes for each, counted from the same server without
/// connections, and from one that has no room for them.
fn each(workers: usize, at_once: usize) -> (i64, i64) {
    // Two workers share the limit out, and the system spreads connections by chance: 50 of 10,000
    // are the standard deviation.
    let connections = RESTING + 250 * workers;
    let common = format!("--workers {workers} --slots 2000 --users 1024 --user-bytes 64k");
    let roomless = serve(&format!("{common} --connections {}", 64 * workers));
    let without_tables = settled(&roomless);
    drop(roomless);

    let server = serve(&format!("{common} --connections {connections}"));
    let before = settled(&server);
    let (slabs, queued) = (proc::slabs(), proc::tcp_queued());
    let mut swarm = Swarm::new(server.addr());
    // In portions that the backlog holds, and each is answered.
    for portion in 0..10_u8 {
        let peers = open(&mut swarm, RESTING / 10, |at| Manner::at(1 + portion, at));
        let served = ask(&mut swarm, &peers, at_once, PATIENCE).len();
        assert_eq!(served, peers.len());
    }
    // Whatever is due after the answers is done.
    swarm.run(Duration::from_millis(200), |_, news| panic!("{news:?}"));
    assert_eq!(swarm.len(), RESTING);
    let with = proc::rss(server.pid()) as i64;
    let kernel = match (slabs, proc::slabs()) {
        (Some(before), Some(with)) => (with as i64 - before as i64) / RESTING as i64,
        _ => 0,
    };
    let grown = (with - before) / RESTING as i64;
    let all = (with - without_tables) / RESTING as i64;
    say(format_args!(
        "resting: {RESTING} connections, {workers} workers, {at_once} asked at a time: {all} bytes \
         each with their tables, {grown} beyond the start of the server ({with} bytes in all); \
         the system: {kernel} bytes of slabs for both ends of each, {} bytes queued in all",
        proc::tcp_queued() as i64 - queued as i64
    ));
    swarm.close_all(Close::Reset);
    let tally = server.stop();
    let all_asked = RESTING as u64 + 8 * workers as u64;
    assert_eq!((tally.connections, tally.refused), (all_asked, 0));
    assert_eq!((tally.requests, tally.in_time), (all_asked, true));
    (grown, all)
}

#[test]
fn ten_thousand_connections_rest_in_three_hundred_bytes_each() {
    let _alone = alone();
    for workers in [1, 2] {
        let (grown, all) = each(workers, 16);
        assert!(grown <= all && all <= RSS_EACH as i64, "{all} bytes");
        // The tables alone take more than half of that, so it was measured.
        assert!(all >= RSS_EACH as i64 / 2, "{all} bytes");
    }
    // For information: the slots that a thousand at once have used stay in memory.
    each(1, 1000);
}
