//! `/stats` while it is written to, over sockets, against a model.
//!
//! Four clients post events to two workers. Client `c` posts values of 100,000^c only, so every
//! sum names how many events of each client it holds: they are its digits to the base 100,000.
//! A client's events are counted in its order, so those many are its first ones, and the number of
//! users follows. Each count must lie between what was answered before the question and what had
//! been sent when the answer came: the answer is the state of one moment in between.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use barewire::challenge::{Board, Options};
use barewire::{Config, Server};
use barewire_core::stats::Capacity;
use barewire_tests::client::{Client, event, request};
use serde_json::Value;

const CLIENTS: usize = 4;
const EVENTS: u64 = 20_000;
/// Requests that a client sends before it looks for answers.
const DEPTH: u64 = 8;
const BASE: u128 = 100_000;

/// What a client has done so far.
#[derive(Default)]
struct Progress {
    sent: AtomicU64,
    answered: AtomicU64,
}

type All = [Progress; CLIENTS];

fn sent(all: &All) -> [u64; CLIENTS] {
    std::array::from_fn(|c| all[c].sent.load(Ordering::SeqCst))
}

fn answered(all: &All) -> [u64; CLIENTS] {
    std::array::from_fn(|c| all[c].answered.load(Ordering::SeqCst))
}

fn server(capacity: Capacity) -> Server {
    let config = Config {
        bind: ([127, 0, 0, 1], 0).into(),
        workers: 2,
        connections: 64,
        ..Config::default()
    };
    let options = Options {
        capacity,
        ..Options::default()
    };
    let board = Board::new(options, 2).unwrap();
    Server::start(&config, move |number| board.worker(number)).unwrap()
}

/// Posts events `0..EVENTS` of client `c`; `user` names the user of each.
fn post(addr: SocketAddr, c: usize, progress: &Progress, user: fn(u64) -> u64) {
    let mut client = Client::new(addr);
    let value = BASE.pow(c as u32).to_string();
    for first in (0..EVENTS).step_by(DEPTH as usize) {
        let turn = first..(first + DEPTH).min(EVENTS);
        let bytes: Vec<u8> = turn
            .clone()
            .flat_map(|number| event(&format!("{c}-{}", user(number)), &value))
            .collect();
        progress.sent.store(turn.end, Ordering::SeqCst);
        client.send(&bytes);
        for number in turn {
            assert_eq!(client.answer().status, 200);
            progress.answered.store(number + 1, Ordering::SeqCst);
        }
    }
}

/// One answer of `/stats`.
#[derive(Debug, PartialEq)]
struct Seen {
    total: u64,
    users: u64,
    /// Events of each client.
    counts: [u64; CLIENTS],
}

fn ask(client: &mut Client) -> Seen {
    let answer = client.ask(&request("GET", "/stats", b""));
    assert_eq!(answer.status, 200);
    let text = answer.text();
    let json: Value = serde_json::from_str(&text).unwrap();
    let whole = |key: &str| {
        json[key]
            .as_u64()
            .unwrap_or_else(|| panic!("{key}: {text}"))
    };
    // A JSON number of up to 20 digits: read from the text, not as a float.
    let (_, sum) = text.split_once(r#""sum":"#).unwrap();
    let digits: String = sum.chars().take_while(|c| *c != ',').collect();
    let sum: u128 = digits.parse().unwrap_or_else(|_| panic!("sum: {text}"));
    let counts = std::array::from_fn(|c| (sum / BASE.pow(c as u32) % BASE) as u64);
    let total = whole("totalRequests");
    assert_eq!(counts.iter().sum::<u64>(), total, "sum and total: {text}");
    let average = json["avg"].as_f64().unwrap();
    let expected = if total == 0 {
        0.0
    } else {
        sum as f64 / total as f64
    };
    assert!(
        (average - expected).abs() <= expected * 1e-14,
        "avg: {text}"
    );
    Seen {
        total,
        users: whole("uniqueUsers"),
        counts,
    }
}

/// Runs the clients, and `poll` beside them until they have finished.
fn run(user: fn(u64) -> u64, poll: impl Fn(SocketAddr, &All, &dyn Fn() -> bool) + Sync) {
    let server = server(Capacity::DEFAULT);
    let addr = server.local_addr();
    let all = All::default();
    let done = || answered(&all) == [EVENTS; CLIENTS];
    thread::scope(|scope| {
        for (c, progress) in all.iter().enumerate() {
            scope.spawn(move || post(addr, c, progress, user));
        }
        scope.spawn(|| poll(addr, &all, &done));
        poll(addr, &all, &done);
    });
    server.shut_down();
}

#[test]
fn every_answer_is_the_state_of_one_moment() {
    // Each user has two events, one after the other.
    run(
        |number| number / 2,
        |addr, all, done| {
            let mut client = Client::new(addr);
            let mut asked = 0;
            let mut last = [0; CLIENTS];
            loop {
                let finished = done();
                let least = answered(all);
                let seen = ask(&mut client);
                let most = sent(all);
                for c in 0..CLIENTS {
                    let range = least[c].max(last[c])..=most[c];
                    assert!(range.contains(&seen.counts[c]), "{range:?}: {seen:?}");
                }
                let users: u64 = seen.counts.iter().map(|count| count.div_ceil(2)).sum();
                assert_eq!(seen.users, users, "{seen:?}");
                last = seen.counts;
                asked += 1;
                if finished {
                    assert_eq!(seen.total, CLIENTS as u64 * EVENTS);
                    assert!(asked > 20, "{asked} answers are too few to mean anything");
                    return;
                }
            }
        },
    );
}

#[test]
fn a_reset_takes_everything_at_one_moment() {
    // Each event has a user of its own: what is left after a reset says which.
    let resetting = AtomicU64::new(0);
    run(
        |number| number,
        |addr, all, done| {
            let mut client = Client::new(addr);
            let first = resetting.fetch_add(1, Ordering::SeqCst) == 0;
            // Bounds of what the last reset of this client took. Another one may take more.
            let mut taken_least = [0; CLIENTS];
            let mut taken_most = [0; CLIENTS];
            let mut asked = 0;
            loop {
                let finished = done();
                if first && asked % 5 == 4 {
                    taken_least = answered(all);
                    let answer = client.ask(&request("POST", "/reset", b""));
                    assert_eq!(answer.status, 200);
                    taken_most = sent(all);
                }
                let least = answered(all);
                let seen = ask(&mut client);
                let most = sent(all);
                assert_eq!(seen.users, seen.total, "{seen:?}");
                for c in 0..CLIENTS {
                    assert!(seen.counts[c] <= most[c] - taken_least[c], "{seen:?}");
                    // Only the one that resets knows what was taken last.
                    let least = least[c].saturating_sub(taken_most[c]);
                    assert!(!first || seen.counts[c] >= least, "{least}: {seen:?}");
                }
                asked += 1;
                if finished {
                    break;
                }
            }
            assert!(asked > 20, "{asked} answers are too few to mean anything");
            if first {
                client.ask(&request("POST", "/reset", b""));
                let nothing = Seen {
                    total: 0,
                    users: 0,
                    counts: [0; CLIENTS],
                };
                assert_eq!(ask(&mut client), nothing);
                for number in 0..100 {
                    let event = event(&format!("after {number}"), "1");
                    assert_eq!(client.ask(&event).status, 200);
                }
                let seen = ask(&mut client);
                assert_eq!((seen.total, seen.users), (100, 100));
            }
        },
    );
}

#[test]
fn a_full_set_refuses_new_users_records_nothing_and_counts_known_ones() {
    let capacity = Capacity {
        users_max: 3,
        id_bytes_max: 5000,
    };
    let server = server(capacity);
    let mut client = Client::new(server.local_addr());
    let mut post = |user: &str| client.ask(&event(user, "2.5")).status;
    let long = |length: usize| "i".repeat(length);
    // One id may have 4,096 bytes, all together 5,000; three users.
    assert_eq!(post(&long(4097)), 422);
    assert_eq!(post(&long(4096)), 200);
    assert_eq!(post(&long(905)), 507, "one byte too many");
    assert_eq!(post(&long(900)), 200);
    assert_eq!(post("last"), 200, "the last byte, and the last user");
    assert_eq!(post("x"), 507);
    assert_eq!(post("last"), 200);
    assert_eq!(post(&long(4096)), 200);
    let text = |client: &mut Client| client.ask(&request("GET", "/stats", b"")).text();
    let expected = r#"{"totalRequests":5,"uniqueUsers":3,"sum":12.5,"avg":2.5}"#;
    assert_eq!(text(&mut client), expected);
    assert_eq!(client.ask(&request("POST", "/reset", b"")).status, 200);
    for user in ["x", "y", "z", "x"] {
        assert_eq!(client.ask(&event(user, "1")).status, 200, "{user}");
    }
    assert_eq!(client.ask(&event("w", "1")).status, 507);
    let expected = r#"{"totalRequests":4,"uniqueUsers":3,"sum":4,"avg":1}"#;
    assert_eq!(text(&mut client), expected);
    server.shut_down();
}
