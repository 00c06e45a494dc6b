//! How evenly several workers share connections and work, by what the server itself counts.

use std::net::SocketAddr;
use std::thread;

use barewire::challenge::{Board, Options};
use barewire::{Accept, Config, Server, Share, skew};
use barewire_tests::client::{Client, request};

fn start(workers: usize, accept: Accept) -> Server {
    let config = Config {
        bind: ([127, 0, 0, 1], 0).into(),
        workers,
        connections: 400,
        accept,
        ..Config::default()
    };
    let board = Board::new(Options::default(), workers).unwrap();
    Server::start(&config, move |number| board.worker(number)).unwrap()
}

fn stop(server: Server) -> Vec<Share> {
    server.handle().drain();
    server.join_each()
}

/// Pearson's statistic: how far counts are from being equal by more than chance makes them. Of
/// counts that a fair die threw it is about as large as there are counts, less one.
fn chi_squared(counts: &[u64]) -> f64 {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    let squares = counts
        .iter()
        .map(|&count| (count as f64 - expected).powi(2));
    squares.sum::<f64>() / expected
}

/// What it is with four counts, three of them free, once in a million times: 30.66.
const RARE: f64 = 30.66;

#[test]
fn counts_that_are_not_even_are_seen() {
    assert_eq!(chi_squared(&[500; 4]), 0.0);
    assert!(chi_squared(&[520, 480, 495, 505]) < 3.0);
    // A worker that gets a third more than the others; one that gets nothing.
    assert!(chi_squared(&[625, 458, 458, 459]) > RARE);
    assert!(chi_squared(&[0, 667, 667, 666]) > 600.0);
}

/// Connections one after the other, each with one request.
fn visit(addr: SocketAddr, count: usize) {
    for _ in 0..count {
        let mut client = Client::new(addr);
        assert_eq!(client.ask(&request("GET", "/ping", b"")).status, 200);
    }
}

#[test]
fn the_system_spreads_connections_over_the_workers_as_a_fair_die_would() {
    const COUNT: usize = 2_000;
    let server = start(4, Accept::Reuseport);
    let addr = server.local_addr();
    visit(addr, COUNT);
    let shares = stop(server);
    let counts: Vec<u64> = shares.iter().map(|share| share.tally.connections).collect();
    let found = chi_squared(&counts);
    let beyond = 100.0 * skew(&counts);
    println!("{counts:?}: chi squared {found:.2}, the busiest {beyond:.1} % above the mean");
    assert_eq!(counts.iter().sum::<u64>(), COUNT as u64);
    assert!(found < RARE, "{counts:?}: {found}");
}

#[test]
fn one_thread_that_deals_out_is_even_to_the_last_connection() {
    let server = start(4, Accept::Handoff);
    let addr = server.local_addr();
    // They stay: where some go, the next one goes to whoever was left with the fewest.
    let clients = (0..200).map(|_| {
        let mut client = Client::new(addr);
        assert_eq!(client.ask(&request("GET", "/ping", b"")).status, 200);
        client
    });
    let clients: Vec<Client> = clients.collect();
    let counts: Vec<u64> = stop(server)
        .iter()
        .map(|share| share.tally.connections)
        .collect();
    assert_eq!(counts, [50; 4]);
    drop(clients);
}

#[test]
fn equal_connections_are_equal_work() {
    let server = start(2, Accept::Handoff);
    let addr = server.local_addr();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(move || {
                let mut client = Client::new(addr);
                for _ in 0..2_000 {
                    assert_eq!(client.ask(&request("GET", "/ping", b"")).status, 200);
                }
            });
        }
    });
    let shares = stop(server);
    let requests: Vec<u64> = shares.iter().map(|share| share.tally.requests).collect();
    let busy: Vec<u64> = shares
        .iter()
        .map(|share| share.cpu.as_micros() as u64)
        .collect();
    println!(
        "requests {requests:?}, microseconds of processor time {busy:?}: skew {:.3}, {:.3}",
        skew(&requests),
        skew(&busy)
    );
    assert_eq!(requests, [8_000; 2]);
    // The times are exact, but other programs share caches and processors: a factor of two is what
    // only work that one worker does alone would make.
    assert!(
        busy.iter().all(|&time| time > 0) && skew(&busy) < 1.0 / 3.0,
        "{busy:?}"
    );
}
