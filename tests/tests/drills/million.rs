//! A million requests: what is kept for one of them is given back, or it would add up.

use std::net::SocketAddr;
use std::thread;
use std::time::Instant;

use barewire_tests::client::{Client, event, request};
use barewire_tests::drill::{Barewire, proc};

use super::{alone, hold_slots, number, say, serve, settle};

/// Requests; `BAREWIRE_MILLION=n` makes it another number.
const REQUESTS: usize = 1_000_000;
/// Slots: if one request in a thousand lost one, there would be none after a hundredth of the run.
const SLOTS: usize = 64;
/// Requests of a round of one client, each kind of them answered in its own way.
const ROUND: usize = 200;
/// Bytes of memory that may come to be used between the first tenth and the end: a few pages of
/// stacks and tables that the first tenth did not happen to touch. A leak of one byte for each
/// request would be nine hundred thousand.
const GROWTH_MAX: u64 = 128 << 10;

/// Pipelines of requests whose exchanges are kept for a while or not: deferred ones (snapshots wait
/// for both workers), gathered and streamed bodies, refusals.
fn rounds(addr: SocketAddr, count: usize) {
    let mut bytes = Vec::new();
    for at in 0..ROUND {
        bytes.extend(match at % 10 {
            0..=3 => event(&format!("user-{at}"), "0.5"),
            4 => request("POST", "/echo", b"back again"),
            5 => request("GET", "/users/somebody", b""),
            6 if at < 20 => request("GET", "/stats", b""),
            7 => request("GET", "/nowhere", b""),
            8 => b"POST /event HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                   2\r\n{}\r\n0\r\n\r\n"
                .to_vec(),
            _ => request("GET", "/json", b""),
        });
    }
    let mut client = Client::new(addr);
    for round in 0..count / ROUND {
        client.send(&bytes);
        for at in 0..ROUND {
            let expected = match at % 10 {
                7 => 404,
                8 => 400,
                _ => 200,
            };
            assert_eq!(client.answer().status, expected, "{at}");
        }
        // Other peers take the places now and then.
        if round % 50 == 0 {
            client = Client::new(addr);
        }
    }
}

fn run(server: &Barewire, requests: usize) {
    let addr = server.addr();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| rounds(addr, requests / 2));
        }
    });
}

#[test]
fn a_million_requests_leave_nothing_behind() {
    let _alone = alone();
    let requests = number("BAREWIRE_MILLION").map_or(REQUESTS, |count| count as usize);
    let server = serve(&format!("--workers 2 --connections 200 --slots {SLOTS}"));
    let before = proc::descriptors(server.pid());
    let began = Instant::now();
    run(&server, requests / 10);
    let first = proc::rss(server.pid());
    run(&server, requests - requests / 10);
    let (last, took) = (proc::rss(server.pid()), began.elapsed());

    settle(&server, before);
    // All slots are there, but for the reserve and those whose want would be pressure: so many
    // requests are under way at the same time.
    let held = SLOTS / 2;
    hold_slots(server.addr(), held);
    let tally = server.stop();
    say(format_args!(
        "{requests} requests within {took:?}: {first} bytes of memory after a tenth of them, \
         {last} at the end; {before} descriptors before and after; {held} of {SLOTS} slots held \
         at once; \
         {tally:?}"
    ));
    assert!(last <= first + GROWTH_MAX, "{first} bytes grew to {last}");
    assert_eq!(tally.requests, (requests + held) as u64);
    assert_eq!((tally.faults, tally.refused, tally.in_time), (0, 0, true));
}
