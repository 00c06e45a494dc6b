//! Barewire's core in a program of its own: no std, no heap, no C library, no start files. It plays
//! four requests through a connection and exits with 0 if every answer is right, else with the
//! number of the step that was not.
//!
//! That it links is the proof: whatever the core needed from std, an allocator or libc would be
//! missing here. `tests/nostd/check` builds it, looks at its symbols and runs it.
#![no_std]
#![no_main]

mod system;

use core::sync::atomic::AtomicU64;

use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::connection::{Connection, Done, Exchange, Full, Reply, Site, Step};
use barewire_core::json::{Object, Value, Writer};
use barewire_core::limits::Limits;
use barewire_core::router::{Lookup, Router, Verb};
use barewire_core::stats::{
    Amount, Capacity, Key, Outcome, Recorder, Shard, Snapshot, SoloStats, Stats,
};
use barewire_core::wire::{Date, Method, Status};

#[derive(Clone, Copy)]
enum Page {
    User,
    Event,
    Stats,
}

static PAGES: Router<Page, 3> = Router::new()
    .with(Verb::Get, "/users/{id}", Page::User)
    .with(Verb::Post, "/event", Page::Event)
    .with(Verb::Get, "/stats", Page::Stats);

const CAPACITY: Capacity = Capacity {
    users_max: 64,
    id_bytes_max: 4096,
};

// All memory there is, besides the stack.
static SHARDS: [Shard; 1] = [Shard::new()];
static TABLE: [AtomicU64; CAPACITY.table_words()] =
    [const { AtomicU64::new(0) }; CAPACITY.table_words()];
static ARENA: [AtomicU64; CAPACITY.arena_words(1)] =
    [const { AtomicU64::new(0) }; CAPACITY.arena_words(1)];

const INPUT: &[u8] = b"\
    GET /users/42 HTTP/1.1\r\nHost: a\r\n\r\n\
    POST /event HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\n{\"userId\":\"ann\",\"value\":1.5}\
    POST /event HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
    1c\r\n{\"value\":2.5,\"userId\":\"bob\"}\r\n0\r\n\r\n\
    GET /stats HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
const STATS: &[u8] = br#"{"totalRequests":2,"uniqueUsers":2,"sum":4,"avg":2}"#;

/// 0, or what was wrong.
fn run() -> u8 {
    let key = Key::new(1, 2);
    let Some(stats) = Stats::new(&SHARDS, &TABLE, &ARENA, CAPACITY, key) else {
        return 1;
    };
    let Some(mut recorder) = stats.recorder(0) else {
        return 2;
    };
    let (mut slots, mut cells) = ([0; 16], [0; 256]);
    let mut solo = SoloStats::new(&mut slots, &mut cells, key);

    let limits = Limits::DEFAULT;
    let date = Date::from_unix(784_111_777);
    let site = Site {
        date: Some(&date),
        ..Site::new(&limits)
    };
    let mut rx = RecvBuffer::<[u8; 2048]>::new();
    let mut tx = SendBuffer::<[u8; 2048]>::new();
    let mut connection = Connection::new();
    let (mut input, mut turn) = (INPUT, 0usize);
    let mut output = Output {
        bytes: [0; 2048],
        len: 0,
    };
    loop {
        match connection.step(&site, &mut rx, &mut tx) {
            Step::Read(space) => {
                // In pieces, so that every part of the machine has to wait once.
                let n = input.len().min(space.len()).min(7);
                let (now, later) = input.split_at(n);
                if let Some(space) = space.get_mut(..n) {
                    space.copy_from_slice(now);
                }
                input = later;
                match n {
                    0 => rx.end(),
                    n => rx.filled(n),
                }
            }
            Step::Write(bytes) => {
                output.put(bytes);
                let n = bytes.len();
                tx.sent(n);
            }
            Step::Request(exchange) => {
                turn = turn.wrapping_add(1);
                let _ = answer(exchange, &stats, &mut recorder, &mut solo);
            }
            Step::Close => break,
            _ => {}
        }
    }
    let mut text = [0; Snapshot::JSON_BYTES_MAX];
    let same = solo
        .snapshot()
        .write_json(&mut text)
        .and_then(|len| text.get(..len));
    let output = output.bytes.get(..output.len).unwrap_or(&[]);
    let answers = output.windows(HEAD.len()).filter(|part| *part == HEAD);
    match () {
        () if turn != 4 => 3,
        () if same != Some(STATS) => 4,
        () if answers.count() != 4 => 5,
        () if !output.ends_with(STATS) => 6,
        () => 0,
    }
}

/// What was sent.
struct Output {
    bytes: [u8; 2048],
    len: usize,
}

impl Output {
    fn put(&mut self, bytes: &[u8]) {
        let room = self.bytes.get_mut(self.len..);
        if let Some(room) = room.and_then(|room| room.get_mut(..bytes.len())) {
            room.copy_from_slice(bytes);
            self.len = self.len.saturating_add(bytes.len());
        }
    }
}

fn answer(
    exchange: Exchange<'_>,
    stats: &Stats<'_>,
    recorder: &mut Recorder<'_>,
    solo: &mut SoloStats<'_>,
) -> Done {
    let verb = match exchange.head.method() {
        Method::Get => Verb::Get,
        _ => Verb::Post,
    };
    let Lookup::Found { handler, params } = PAGES.find(verb, exchange.head.path()) else {
        return exchange.reply.bare(Status::NOT_FOUND);
    };
    let reply = exchange.reply;
    match handler {
        Page::User => {
            let id = params.get("id").unwrap_or_default();
            let mut room = [0; 64];
            let mut json = Writer::new(&mut room);
            json.begin_object().key("id").number(id).end_object();
            match json.finish() {
                Ok(json) => or_500(reply.status(Status::OK).json(json)),
                Err(_) => reply.bare(Status::BAD_REQUEST),
            }
        }
        Page::Event => match event(exchange.body, recorder, solo) {
            Some(()) => or_500(reply.status(Status::OK).body(b"")),
            None => reply.bare(Status::BAD_REQUEST),
        },
        Page::Stats => state(stats, recorder, reply),
    }
}

fn event(body: &[u8], recorder: &mut Recorder<'_>, solo: &mut SoloStats<'_>) -> Option<()> {
    let (mut user, mut amount) = (None, None);
    let mut object = Object::new(body).ok()?;
    while let Some((key, value)) = object.next().ok()? {
        match value {
            Value::Text(text) if key.eq_str("userId") => user = text.as_plain(),
            Value::Number(n) if key.eq_str("value") => {
                let parts = (n.integer(), n.fraction());
                amount = Amount::from_decimal(n.negative(), parts.0, parts.1, n.exponent()).ok();
            }
            _ => {}
        }
    }
    recorder.record(user?.as_bytes(), amount?).ok()?;
    solo.record(user?.as_bytes(), amount?).ok()
}

fn state(stats: &Stats<'_>, recorder: &mut Recorder<'_>, reply: Reply<'_>) -> Done {
    let mut ticket = stats.snapshot();
    let mut text = [0; Snapshot::JSON_BYTES_MAX];
    for _ in 0..8 {
        if let Some(Outcome::State(snapshot)) = ticket.poll(recorder) {
            let json = snapshot
                .write_json(&mut text)
                .and_then(|len| text.get(..len));
            return or_500(reply.status(Status::OK).json(json.unwrap_or(b"")));
        }
    }
    reply.bare(Status::SERVICE_UNAVAILABLE)
}

fn or_500(outcome: Result<Done, Full<'_>>) -> Done {
    outcome.unwrap_or_else(|full| full.0.bare(Status::INTERNAL_SERVER_ERROR))
}
