//! One thread accepts for all workers: who gets what, and that nothing is lost on the way.

use std::io::Read;
use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use barewire::challenge::{Board, Options};
use barewire::{Accept, App, Config, Context, Server};
use barewire_core::connection::{Done, Exchange};
use barewire_core::wire::Status;
use barewire_tests::client::{Client, event, request};

/// Descriptors of the process are counted, so one test runs at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Descriptors that this process has open.
fn descriptors() -> usize {
    std::fs::read_dir("/dev/fd").unwrap().count()
}

/// Waits until there are no more than `most`: the clients' ends go with them.
fn assert_descriptors(most: usize) {
    let started = Instant::now();
    while descriptors() > most {
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{}",
            descriptors()
        );
        thread::sleep(Duration::from_millis(5));
    }
}

fn config(workers: usize, connections: usize) -> Config {
    Config {
        bind: ([127, 0, 0, 1], 0).into(),
        workers,
        connections,
        accept: Accept::Handoff,
        ..Config::default()
    }
}

/// Answers with the number of its worker.
struct Number(String);

impl App for Number {
    fn request(&mut self, _: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        match exchange.reply.status(Status::OK).text(&self.0) {
            Ok(done) => done,
            Err(full) => full.0.bare(Status::INTERNAL_SERVER_ERROR),
        }
    }
}

fn start(workers: usize, connections: usize) -> Server {
    let config = config(workers, connections);
    Server::start(&config, |number| Number(number.to_string())).unwrap()
}

fn worker_of(client: &mut Client) -> usize {
    let answer = client.ask(&request("GET", "/", b""));
    assert_eq!(answer.status, 200);
    answer.text().parse().unwrap()
}

#[test]
fn connections_are_dealt_out_evenly() {
    let _alone = alone();
    let before = descriptors();
    for workers in [1, 2, 4] {
        let server = start(workers, 100);
        assert_eq!(server.workers(), workers);
        let mut clients: Vec<Client> = (0..40).map(|_| Client::new(server.local_addr())).collect();
        let mut counts = vec![0; workers];
        for client in &mut clients {
            counts[worker_of(client)] += 1;
        }
        assert_eq!(counts, vec![40 / workers; workers]);
        // Each stays where it is.
        let first: Vec<usize> = clients.iter_mut().map(worker_of).collect();
        let second: Vec<usize> = clients.iter_mut().map(worker_of).collect();
        assert_eq!(first, second);
        drop(clients);
        let (tally, in_time) = server.shut_down();
        assert!(in_time);
        assert_eq!((tally.connections, tally.requests), (40, 120));
    }
    assert_descriptors(before);
}

#[test]
fn nobody_is_refused_while_a_worker_has_room() {
    let _alone = alone();
    // Eight each, and the four workers have no place more than that.
    let server = start(4, 32);
    let addr = server.local_addr();
    let mut clients: Vec<(usize, Client)> = Vec::new();
    for round in 0..12 {
        while clients.len() < 32 {
            let mut client = Client::new(addr);
            clients.push((worker_of(&mut client), client));
        }
        // All of one worker go, then half of another one's.
        let (gone, halved) = (round % 4, (round + 1) % 4);
        let mut halves = 0;
        let leave = clients.extract_if(.., |(worker, _)| {
            halves += usize::from(*worker == halved);
            *worker == gone || *worker == halved && halves % 2 == 0
        });
        for (_, mut client) in leave {
            client.socket.shutdown(Shutdown::Write).unwrap();
            // The server's end is closed then.
            assert_eq!(client.socket.read(&mut [0]).unwrap(), 0);
        }
        assert_eq!(clients.len(), 20);
    }
    drop(clients);
    let (tally, in_time) = server.shut_down();
    assert!(in_time);
    assert_eq!((tally.connections, tally.refused), (32 + 11 * 12, 0));
}

#[test]
fn statistics_are_exact_however_connections_come() {
    let _alone = alone();
    let config = config(3, 1000);
    let board = Board::new(Options::default(), 3).unwrap();
    let server = Server::start(&config, move |number| board.worker(number)).unwrap();
    let addr = server.local_addr();
    thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for _ in 0..25 {
                    let mut client = Client::new(addr);
                    for _ in 0..4 {
                        let answer = client.ask(&event(&format!("user-{thread}"), "0.5"));
                        assert_eq!(answer.status, 200);
                    }
                }
            });
        }
    });
    let stats = Client::new(addr).ask(&request("GET", "/stats", b"")).text();
    let stats: serde_json::Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(stats["totalRequests"], 800);
    assert_eq!(stats["uniqueUsers"], 8);
    assert_eq!(stats["sum"], 400);
    let (tally, in_time) = server.shut_down();
    assert!(in_time);
    assert_eq!(tally.connections, 201);
}

#[test]
fn a_burst_beyond_all_places_and_rings_is_answered_to_the_last() {
    let _alone = alone();
    // 2 + 64 places and a ring of 64 for each: 260 in all, the rest waits in the backlog. Slots
    // for all of them, so that each refusal can be told.
    let mut config = Config {
        slots: 400,
        ..config(2, 4)
    };
    // Who is refused and not asked yet holds a place so long.
    config.limits.linger_ms = 200;
    let server = Server::start(&config, |number| Number(number.to_string())).unwrap();
    let mut clients: Vec<Client> = (0..400).map(|_| Client::new(server.local_addr())).collect();
    let (mut served, mut refused) = (0, 0);
    // The last first: whoever waits behind them would be stuck if they had been lost.
    while let Some(mut client) = clients.pop() {
        // A refusal comes unasked, and ends the connection: the request may come too late.
        let asked = std::io::Write::write_all(&mut client.socket, &request("GET", "/", b""));
        match client.try_answer().map(|answer| answer.status) {
            Ok(200) => served += 1,
            Ok(503) => refused += 1,
            other => panic!("{other:?} after {served} and {refused}, {asked:?}"),
        }
    }
    assert_eq!(served + refused, 400);
    assert!(served >= 4, "{served}");
    let (tally, in_time) = server.shut_down();
    assert!(in_time);
    assert_eq!(tally.connections, 400);
    assert_eq!((tally.requests, tally.refused), (served, refused));
}

#[test]
fn a_stop_in_the_middle_of_a_flood_brings_all_descriptors_home() {
    let _alone = alone();
    let before = descriptors();
    for abort in [false, true] {
        let server = start(3, 50);
        let addr = server.local_addr();
        let mut idle: Vec<Client> = (0..9).map(|_| Client::new(addr)).collect();
        idle.iter_mut().for_each(|client| {
            worker_of(client);
        });
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut connected = Vec::new();
                while !is_over.load(Ordering::Relaxed) && connected.len() < 600 {
                    match Client::try_new(addr) {
                        Ok(client) => connected.push(client),
                        Err(_) => break,
                    }
                }
            });
            thread::sleep(Duration::from_millis(20));
            let started = Instant::now();
            if abort {
                server.handle().abort();
                server.join();
            } else {
                assert!(server.shut_down().1);
            }
            assert!(started.elapsed() < Duration::from_secs(5));
            is_over.store(true, Ordering::Relaxed);
        });
        for client in &mut idle {
            // In good order, or reset: but over.
            assert_eq!(client.socket.read(&mut [0; 8]).unwrap_or(0), 0);
        }
        drop(idle);
        assert_descriptors(before);
    }
}
