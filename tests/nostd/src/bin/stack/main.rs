//! The stack that exchanges take, by a painted stack: each is played through a connection whose
//! buffers lie elsewhere, and what is changed below the stack pointer is what it took. From the
//! loop that an embedding writes down to the deepest function of core, handler included.
//!
//! Handlers are called through pointers, so that each frame holds what its own route needs.
#![no_std]
#![no_main]

#[path = "../../system.rs"]
mod system;

use core::hint::black_box;
use core::sync::atomic::AtomicU64;

use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::connection::{
    Bodies, Connection, Done, Exchange, FieldName, FieldValue, Full, Outlet, RefusalBody, Site,
    Step,
};
use barewire_core::json::{Object, Value, Writer};
use barewire_core::limits::Limits;
use barewire_core::router::{ALLOW_BYTES_MAX, Lookup, Params, Router, Verb, Verbs};
use barewire_core::stats::{Amount, Capacity, Key, Outcome, Recorder, Shard, Snapshot, Stats};
use barewire_core::wire::{Date, Method, Status};

/// Bytes of stack that one exchange may take, from the embedding's loop down: what the largest one
/// takes on x86-64, a refusal with its place, rounded up to the next 256. Half a page of
/// memory, of 8 MiB that a thread has; a microcontroller has words half as wide.
const STACK_BYTES_MAX: usize = 2048;

/// What an application keeps.
struct World<'s> {
    stats: &'s Stats<'s>,
    recorder: Recorder<'s>,
}

type Handler = fn(&mut World<'_>, Exchange<'_>, &Params<'_>) -> Done;

static PAGES: Router<Handler, 4> = Router::<Handler, 4>::new()
    .with(Verb::Get, "/", root)
    .with(Verb::Get, "/users/{id}", user)
    .with(Verb::Post, "/event", event)
    .with(Verb::Get, "/stats", state);

const CAPACITY: Capacity = Capacity {
    users_max: 64,
    id_bytes_max: 4096,
};

static SHARDS: [Shard; 1] = [Shard::new()];
static TABLE: [AtomicU64; CAPACITY.table_words()] =
    [const { AtomicU64::new(0) }; CAPACITY.table_words()];
static ARENA: [AtomicU64; CAPACITY.arena_words(1)] =
    [const { AtomicU64::new(0) }; CAPACITY.arena_words(1)];

/// What is played: its name, its bytes, what is done with bodies, and how the answer begins.
type Case = (&'static str, &'static [u8], Bodies, &'static [u8]);

const GATHER: Bodies = Bodies::Gather(usize::MAX);

static CASES: [Case; 13] = [
    (
        "GET, 14 bytes of text",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        GATHER,
        b"HTTP/1.1 200",
    ),
    (
        "GET with a param, answered in JSON",
        b"GET /users/42 HTTP/1.1\r\nHost: a\r\n\r\n",
        GATHER,
        b"HTTP/1.1 200",
    ),
    (
        "POST of JSON, recorded in the statistics",
        b"POST /event HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\n\
          {\"userId\":\"ann\",\"value\":1.5}",
        GATHER,
        b"HTTP/1.1 200",
    ),
    (
        "the same, chunked and with a trailer",
        b"POST /event HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
          d\r\n{\"userId\":\"bo\r\nf\r\nb\",\"value\":2.5}\r\n0\r\nA: b\r\n\r\n",
        GATHER,
        b"HTTP/1.1 200",
    ),
    (
        "GET of the statistics",
        b"GET /stats HTTP/1.1\r\nHost: a\r\n\r\n",
        GATHER,
        b"HTTP/1.1 200",
    ),
    (
        "POST, streamed back in chunks",
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
          5\r\nhello\r\n0\r\n\r\n",
        Bodies::Ask,
        b"HTTP/1.1 200",
    ),
    (
        "404 with its reason",
        b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n",
        GATHER,
        b"HTTP/1.1 404",
    ),
    (
        "404 behind an escaped path, found by its second look",
        b"GET /%75sers/%34%32/%75 HTTP/1.1\r\nHost: a\r\n\r\n",
        GATHER,
        b"HTTP/1.1 404",
    ),
    (
        "405 with what is allowed",
        b"GET /event HTTP/1.1\r\nHost: a\r\n\r\n",
        GATHER,
        b"HTTP/1.1 405",
    ),
    (
        "400 with its place, in JSON",
        b"GET / HTTP/1.1\r\nAccept: application/json\r\nHost: a\r\nBad Name: 1\r\n\r\n",
        GATHER,
        b"HTTP/1.1 400",
    ),
    (
        "413 before the body",
        b"POST /event HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
        GATHER,
        b"HTTP/1.1 413",
    ),
    (
        "400 in a chunk size",
        b"POST /event HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        GATHER,
        b"HTTP/1.1 400",
    ),
    ("408 at the deadline", b"GET / HT", GATHER, b"HTTP/1.1 408"),
];

/// The buffers, and what was sent: nothing of them is on the stack that is measured.
struct Wires {
    rx: RecvBuffer<[u8; 2048]>,
    tx: SendBuffer<[u8; 2048]>,
    output: [u8; 1024],
    sent: usize,
}

/// 0, or the number of the case that went wrong.
fn run() -> u8 {
    let key = Key::new(1, 2);
    let Some(stats) = Stats::new(&SHARDS, &TABLE, &ARENA, CAPACITY, key) else {
        return 101;
    };
    let Some(recorder) = stats.recorder(0) else {
        return 102;
    };
    let mut world = World {
        stats: &stats,
        recorder,
    };
    let mut most = 0;
    for (nth, case) in (1..).zip(&CASES) {
        let mut wires = Wires {
            rx: RecvBuffer::new(),
            tx: SendBuffer::new(),
            output: [0; 1024],
            sent: 0,
        };
        let bytes = system::stack_of(&mut || play(case, black_box(&mut wires), &mut world));
        system::say_number(bytes);
        system::say(b" bytes: ");
        system::say(case.0.as_bytes());
        system::say(b"\n");
        let output = wires.output.get(..wires.sent).unwrap_or_default();
        if !output.starts_with(case.3) {
            system::say(output);
            return nth;
        }
        most = most.max(bytes);
    }
    system::say_number(size_of::<RefusalBody>());
    system::say(b" bytes of them: the body of a refusal while it is written\n");
    system::say_number(most);
    system::say(b" bytes of stack at most, of ");
    system::say_number(STACK_BYTES_MAX);
    system::say(b" allowed: from the loop of an embedding down, handler included\n");
    // An empty call takes next to nothing, else the paint itself is measured; and one that takes a
    // certain amount is seen to take it.
    let nothing = system::stack_of(&mut || ());
    let much = system::stack_of(&mut || {
        black_box([0u8; 4096]);
    });
    match () {
        () if most > STACK_BYTES_MAX => 103,
        () if nothing > 64 => 104,
        () if !(4096..4096 + 64 + nothing).contains(&much) => 105,
        () => 0,
    }
}

/// The loop of an embedding, for one request.
#[inline(never)]
fn play(case: &Case, wires: &mut Wires, world: &mut World<'_>) {
    let (_, mut input, bodies, _) = *case;
    let limits = &Limits::DEFAULT;
    let date = Date::from_unix(784_111_777);
    let site = Site {
        date: Some(&date),
        bodies,
        ..Site::new(limits)
    };
    let mut connection = Connection::new();
    loop {
        match connection.step(&site, &mut wires.rx, &mut wires.tx) {
            Step::Read(space) => {
                let n = input.len().min(space.len());
                let (now, later) = input.split_at_checked(n).unwrap_or((input, b""));
                if let Some(space) = space.get_mut(..now.len()) {
                    space.copy_from_slice(now);
                }
                input = later;
                match n {
                    // Whoever began a request and did not end it is late; else that was all.
                    0 if connection.is_active() => connection.expire(),
                    0 => wires.rx.end(),
                    n => wires.rx.filled(n),
                }
            }
            Step::Write(bytes) => {
                let n = bytes.len();
                let room = wires.output.get_mut(wires.sent..);
                if let Some(room) = room.and_then(|room| room.get_mut(..n)) {
                    room.copy_from_slice(bytes);
                    wires.sent = wires.sent.saturating_add(n);
                }
                wires.tx.sent(n);
            }
            Step::Request(exchange) => {
                let _ = answer(world, exchange);
            }
            Step::Head(fork) => {
                let _ = match fork.head.path() {
                    b"/echo" => fork.stream(),
                    _ => fork.gather(usize::MAX),
                };
            }
            Step::Chunk(mut inflow) => {
                if let Outlet::Reply(reply) = inflow.outlet()
                    && let Ok(writer) = reply.status(Status::OK).stream(None)
                {
                    let _ = writer.pause();
                }
                inflow.echo();
            }
            Step::End(ending) => match ending.outlet {
                Outlet::Writer(writer) => {
                    let _ = writer.finish();
                }
                Outlet::Reply(reply) => {
                    let _ = reply.bare(Status::OK);
                }
            },
            Step::Room(writer) => {
                let _ = writer.pause();
            }
            Step::Close => break,
            Step::Cut | Step::Away | Step::HalfClose => {}
        }
    }
}

fn answer(world: &mut World<'_>, exchange: Exchange<'_>) -> Done {
    let verb = match exchange.head.method() {
        Method::Get => Verb::Get,
        _ => Verb::Post,
    };
    match PAGES.find(verb, exchange.head.path()) {
        Lookup::Found { handler, params } => handler(world, exchange, &params),
        Lookup::Options { allow } => not_so(exchange, Status::NO_CONTENT, allow),
        Lookup::MethodNotAllowed { allow } => not_so(exchange, Status::METHOD_NOT_ALLOWED, allow),
        Lookup::NotFound => {
            let notation = exchange.head.notation();
            let head = exchange.reply.status(Status::NOT_FOUND);
            head.refusal("there is nothing here", notation)
        }
    }
}

fn not_so(exchange: Exchange<'_>, status: Status, allow: Verbs) -> Done {
    let mut room = [0; ALLOW_BYTES_MAX];
    let notation = exchange.head.notation();
    let mut head = exchange.reply.status(status);
    if let Some(methods) = FieldValue::new(allow.write(&mut room)) {
        head = head.field(FieldName::ALLOW, methods);
    }
    head.refusal("the path allows other methods only", notation)
}

fn root(_: &mut World<'_>, exchange: Exchange<'_>, _: &Params<'_>) -> Done {
    or_500(exchange.reply.status(Status::OK).text("Hello, world!\n"))
}

fn user(_: &mut World<'_>, exchange: Exchange<'_>, params: &Params<'_>) -> Done {
    let mut room = [0; 64];
    let mut json = Writer::new(&mut room);
    let id = params.get("id").unwrap_or_default();
    json.begin_object().key("id").number(id).end_object();
    match json.finish() {
        Ok(json) => or_500(exchange.reply.status(Status::OK).json(json)),
        Err(_) => exchange.reply.bare(Status::BAD_REQUEST),
    }
}

fn event(world: &mut World<'_>, exchange: Exchange<'_>, _: &Params<'_>) -> Done {
    match record(&mut world.recorder, exchange.body) {
        Some(()) => or_500(exchange.reply.status(Status::OK).body(b"")),
        None => exchange.reply.bare(Status::BAD_REQUEST),
    }
}

fn record(recorder: &mut Recorder<'_>, body: &[u8]) -> Option<()> {
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
    recorder.record(user?.as_bytes(), amount?).ok()
}

fn state(world: &mut World<'_>, exchange: Exchange<'_>, _: &Params<'_>) -> Done {
    let mut ticket = world.stats.snapshot();
    let mut text = [0; Snapshot::JSON_BYTES_MAX];
    for _ in 0..8 {
        if let Some(Outcome::State(snapshot)) = ticket.poll(&mut world.recorder) {
            let len = snapshot.write_json(&mut text).unwrap_or_default();
            let json = text.get(..len).unwrap_or_default();
            return or_500(exchange.reply.status(Status::OK).json(json));
        }
    }
    exchange.reply.bare(Status::SERVICE_UNAVAILABLE)
}

fn or_500(outcome: Result<Done, Full<'_>>) -> Done {
    outcome.unwrap_or_else(|full| full.0.bare(Status::INTERNAL_SERVER_ERROR))
}
