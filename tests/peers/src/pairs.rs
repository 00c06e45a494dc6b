//! What is measured: pairs of ours and theirs, on the same input.

use std::hint::black_box;

use barewire_core::router::Verb;
use barewire_core::stats::{Amount, Sum};

use crate::input::{self, leak, lone};
use crate::ours::Room;
use crate::routes::{API_10, LARGE_130, Table};
use crate::{event, ours, theirs};

/// Does its work as many times as it is told.
pub type Run = Box<dyn FnMut(u64)>;

/// Whom a row compares us with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are packages")]
pub enum Peer {
    /// httparse and a loop that decides framing: what we do.
    Framed,
    /// httparse alone.
    Tokens,
    Matchit,
    SerdeJson,
    SerdeJsonCore,
    /// Ours once more: what the clock makes of no difference at all.
    Ourselves,
}

impl Peer {
    /// As the table names it.
    pub fn name(self) -> &'static str {
        match self {
            Peer::Framed => "httparse, then framing",
            Peer::Tokens => "httparse, tokens only",
            Peer::Matchit => "matchit",
            Peer::SerdeJson => "serde_json",
            Peer::SerdeJsonCore => "serde-json-core",
            Peer::Ourselves => "ourselves",
        }
    }
}

/// One row of the table.
#[expect(missing_docs, reason = "one for each side")]
pub struct Pair {
    pub peer: Peer,
    /// What both are given.
    pub input: &'static str,
    /// Calls in one turn of `Run`: what is measured is divided by it.
    pub calls: u32,
    pub ours: Run,
    pub theirs: Run,
}

/// The inputs that hold one request or several, and how many.
const REQUESTS: [(&str, &[u8], u32); 8] = [
    ("GET, 49 bytes", input::GET_49, 1),
    ("GET, 170 bytes", input::GET_170, 1),
    ("GET, 414 bytes", input::GET_414, 1),
    ("GET, 703 bytes", input::GET_703, 1),
    ("GET, 1135 bytes", input::GET_1135, 1),
    ("POST /event, 135 bytes", input::POST_EVENT, 1),
    ("one of 16 pipelined", input::PIPELINED_16, 16),
    ("chunked in 4 pieces", input::CHUNKED_4, 1),
];

/// The event as the inputs have it, in the other order, and with white space.
const EVENTS: [(&str, &[u8]); 3] = [
    ("event, 37 bytes", input::EVENT),
    (
        "event, value first",
        br#"{"value":499.5,"userId":"user_12345"}"#,
    ),
    (
        "event, white space",
        br#"{ "userId": "user_12345", "value": 499.5 }"#,
    ),
];

/// All of them. Each side has given the same answer when this returns.
///
/// # Panics
/// If one has not.
pub fn all() -> Vec<Pair> {
    let mut pairs = Vec::new();
    for (input, bytes, calls) in REQUESTS {
        check(input, bytes, calls);
        pairs.push(Pair {
            peer: Peer::Framed,
            input,
            calls,
            ours: requests(bytes),
            theirs: repeat(lone(bytes), |bytes| {
                each(bytes, |rest| Some(theirs::request(rest)?.len))
            }),
        });
    }
    for (input, bytes, calls) in REQUESTS {
        // A list of headers says nothing of chunks.
        if bytes != input::CHUNKED_4 {
            pairs.push(Pair {
                peer: Peer::Tokens,
                input,
                calls,
                ours: requests(bytes),
                theirs: repeat(lone(bytes), |bytes| each(bytes, theirs::tokens)),
            });
        }
    }
    pairs.push(routes::<10>("10 routes", API_10));
    pairs.push(routes::<130>("130 routes", LARGE_130));
    for (input, body) in EVENTS {
        check_event(body);
        pairs.push(Pair {
            peer: Peer::SerdeJson,
            input,
            calls: 1,
            ours: repeat(lone(body), event::ours),
            theirs: repeat(lone(body), event::serde_json),
        });
        pairs.push(Pair {
            peer: Peer::SerdeJsonCore,
            input,
            calls: 1,
            ours: repeat(lone(body), event::ours),
            theirs: repeat(lone(body), event::serde_json_core),
        });
    }
    pairs.push(Pair {
        peer: Peer::Ourselves,
        input: "GET, 414 bytes",
        calls: 1,
        ours: requests(input::GET_414),
        theirs: requests(input::GET_414),
    });
    pairs.sort_by_key(|pair| pair.peer as u8);
    pairs
}

/// The compiler knows neither what goes in nor what becomes of what comes out.
fn repeat<T>(bytes: &'static [u8], call: impl Fn(&'static [u8]) -> T + 'static) -> Run {
    Box::new(move |turns| {
        for _ in 0..turns {
            black_box(&call(black_box(bytes)));
        }
    })
}

/// Our side of the requests. One code for all rows: what is measured lies at one place.
fn requests(bytes: &'static [u8]) -> Run {
    let (bytes, room) = (lone(bytes), leak(Room::new()));
    Box::new(move |turns| taken(bytes, room, turns))
}

#[inline(never)]
fn taken(bytes: &'static [u8], room: &mut Room, turns: u64) {
    for _ in 0..turns {
        let room = black_box(&mut *room);
        let count = each(black_box(bytes), |rest| {
            Some(ours::request(rest, room)?.len)
        });
        black_box(&count);
    }
}

/// How many requests lie in these bytes, one behind the other.
#[inline(always)]
fn each(bytes: &[u8], mut len: impl FnMut(&[u8]) -> Option<usize>) -> (u32, usize) {
    let (mut count, mut at) = (0, 0);
    while at < bytes.len() {
        let Some(len) = bytes.get(at..).and_then(&mut len) else {
            break;
        };
        at += len;
        count += 1;
    }
    (count, at)
}

fn check(input: &str, bytes: &[u8], calls: u32) {
    let said = ours::said(bytes).expect(input);
    assert_eq!(theirs::said(bytes).expect(input), said);
    assert!(!said.fields.is_empty());
    let all = (calls, bytes.len());
    let mut room = Room::new();
    let ours = each(bytes, |rest| Some(ours::request(rest, &mut room)?.len));
    assert_eq!(ours, all, "{input}");
    let theirs = each(bytes, |rest| Some(theirs::request(rest)?.len));
    assert_eq!(theirs, all, "{input}");
    if said.taken.body == 0 {
        assert_eq!(each(bytes, theirs::tokens), all, "{input}");
    }
}

fn check_event(body: &'static [u8]) {
    let (id, amount) = event::ours(body).unwrap();
    let want = Amount::from_decimal(false, b"499", b"5", 0).unwrap();
    assert_eq!(Sum::ZERO.plus(amount), Sum::ZERO.plus(want));
    assert_eq!(id, b"user_12345");
    let event = event::Event {
        user_id: "user_12345",
        value: 499.5,
    };
    assert_eq!(event::serde_json(body).as_ref(), Some(&event));
    assert_eq!(event::serde_json_core(body).as_ref(), Some(&event));
}

fn routes<const N: usize>(input: &'static str, patterns: &'static str) -> Pair {
    let table: &Table<N> = leak(Table::new(patterns));
    Pair {
        peer: Peer::Matchit,
        input,
        calls: N as u32,
        ours: Box::new(move |turns| {
            for _ in 0..turns {
                for path in black_box(&table.paths) {
                    black_box(&table.ours.find(Verb::Get, path.as_bytes()));
                }
            }
        }),
        theirs: Box::new(move |turns| {
            for _ in 0..turns {
                for path in black_box(&table.paths) {
                    let _ = black_box(&table.theirs.at(path));
                }
            }
        }),
    }
}
