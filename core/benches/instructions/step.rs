//! Whole round trips through a connection: from the bytes in the receive buffer to the answer in
//! the send buffer, and to the next wish to read. What the kernel copies is not counted.

use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::connection::{
    Bodies, Connection, Done, Exchange, FieldName, FieldValue, Full, Prepared, Reply, Site, Step,
};
use barewire_core::limits::Limits;
use barewire_core::router::{Lookup, Router, Verb};
use barewire_core::stats::Recorder;
use barewire_core::wire::{Date, Method, Status};
use iai_callgrind::{library_benchmark, library_benchmark_group};

use crate::budget::budget;
use crate::input::{self, leak};
use crate::{json, stats};

#[derive(Clone, Copy, Debug)]
enum Route {
    Event,
    Health,
    Plaintext,
    User,
    Other,
}

/// The routes of the server's challenge.
static ROUTES: Router<Route, 9> = Router::new()
    .with(Verb::Post, "/event", Route::Event)
    .with(Verb::Get, "/stats", Route::Other)
    .with(Verb::Post, "/reset", Route::Other)
    .with(Verb::Get, "/health", Route::Health)
    .with(Verb::Get, "/ping", Route::Other)
    .with(Verb::Get, "/plaintext", Route::Plaintext)
    .with(Verb::Get, "/json", Route::Other)
    .with(Verb::Post, "/echo", Route::Other)
    .with(Verb::Get, "/users/{id}", Route::User);

/// Bytes of a buffer: as many as positions of 16 bits allow, so that 1,000 requests of 49 bytes
/// fit. For all rows, as a second size would be a second `step`, which is inlined otherwise: that
/// alone makes a request 70 instructions dearer.
const BUFFER_BYTES: usize = 65_472;

/// A connection and all that its worker has.
pub struct World {
    connection: Connection,
    rx: RecvBuffer<[u8; BUFFER_BYTES]>,
    tx: SendBuffer<[u8; BUFFER_BYTES]>,
    site: Site<'static>,
    recorder: &'static mut Recorder<'static>,
    /// Bytes that the kernel has put into the receive buffer.
    arrived: usize,
}

fn or_500(outcome: Result<Done, Full<'_>>) -> Done {
    outcome.unwrap_or_else(|full| full.0.bare(Status::INTERNAL_SERVER_ERROR))
}

static COUNTED: Prepared = Prepared::new(Status::OK, &[], b"");
static HELLO: Prepared = Prepared::new(
    Status::OK,
    &[(FieldName::CONTENT_TYPE, FieldValue::TEXT)],
    b"Hello, World!",
);

/// The application.
#[inline]
fn serve(exchange: Exchange<'_>, recorder: &mut Recorder<'_>) -> Done {
    let Exchange {
        head, body, reply, ..
    } = exchange;
    let verb = match head.method() {
        Method::Get => Verb::Get,
        Method::Post => Verb::Post,
        _ => return reply.bare(Status::NOT_IMPLEMENTED),
    };
    let found = ROUTES.find(verb, head.path());
    // By reference: params that a handler has no use for need not be moved.
    let Lookup::Found { handler, params } = &found else {
        return reply.bare(Status::NOT_FOUND);
    };
    match handler {
        Route::Event => match json::parse(body) {
            Some((id, amount)) if recorder.record(id, amount).is_ok() => reply.prepared(&COUNTED),
            _ => reply.bare(Status::BAD_REQUEST),
        },
        Route::Plaintext => reply.prepared(&HELLO),
        Route::Health => or_500(reply.status(Status::OK).json(br#"{"status":"healthy"}"#)),
        Route::User => {
            let id = params.get("id").unwrap_or_default();
            or_500(reply.status(Status::OK).body(id))
        }
        Route::Other => reply.bare(Status::NOT_FOUND),
    }
}

/// Serves what has arrived; how many bytes of answers there were. Ends at the next wish to read.
#[inline]
fn turn(world: &mut World) -> usize {
    let World {
        connection,
        rx,
        tx,
        site,
        recorder,
        arrived,
    } = world;
    rx.filled(*arrived);
    let mut sent = 0;
    loop {
        match connection.step(site, rx, tx) {
            Step::Request(exchange) => {
                let _: Done = serve(exchange, recorder);
            }
            Step::Head(fork) => {
                let _: Done = fork.gather(usize::MAX);
            }
            Step::Write(bytes) => {
                let len = bytes.len();
                sent += len;
                tx.sent(len);
            }
            Step::Read(_) => return sent,
            _ => return 0,
        }
    }
}

/// A connection in use, with `bytes` in its receive buffer: the peer has sent the same once before
/// and was answered `answers` times.
fn world(bytes: &[u8], bodies: Bodies, answers: usize, answer_bytes: usize) -> &'static mut World {
    // 2026-01-01: any date will do.
    let date = &*leak(Date::from_unix(1_767_225_600));
    let world = leak(World {
        connection: Connection::new(),
        rx: RecvBuffer::new(),
        tx: SendBuffer::new(),
        site: Site {
            date: Some(date),
            bodies,
            ..Site::new(leak(Limits::DEFAULT))
        },
        recorder: stats::recorder(),
        arrived: 0,
    });
    for _ in 0..2 {
        assert_eq!(
            turn(world),
            world.arrived / bytes.len() * answers * answer_bytes
        );
        world.rx.space()[..bytes.len()].copy_from_slice(bytes);
        world.arrived = bytes.len();
    }
    world
}

/// Bytes of the answer to `GET /plaintext`.
const HELLO_BYTES: usize = 130;
/// Bytes of the answer to `POST /event`.
const COUNTED_BYTES: usize = 75;

fn get(bytes: &[u8], answers: usize) -> &'static mut World {
    world(bytes, Bodies::Gather(usize::MAX), answers, HELLO_BYTES)
}

fn thousand() -> &'static mut World {
    get(&input::GET_49.repeat(1000), 1000)
}

fn post(bodies: Bodies) -> &'static mut World {
    world(input::POST_EVENT, bodies, 1, COUNTED_BYTES)
}

#[library_benchmark]
#[bench::get_49(args = (input::GET_49, 1), setup = get, config = budget("step/round_trip/get_49"))]
#[bench::pipelined_16(
    args = (input::PIPELINED_16, 16),
    setup = get,
    config = budget("step/round_trip/pipelined_16")
)]
// As many instructions for each as among 16: what is left is not moved after each, nor looked
// through.
#[bench::pipelined_1000(
    args = (),
    setup = thousand,
    config = budget("step/round_trip/pipelined_1000")
)]
#[bench::post_event(
    args = (Bodies::Gather(usize::MAX)),
    setup = post,
    config = budget("step/round_trip/post_event")
)]
#[bench::post_event_asked(
    args = (Bodies::Ask),
    setup = post,
    config = budget("step/round_trip/post_event_asked")
)]
fn round_trip(world: &'static mut World) -> usize {
    turn(world)
}

/// The means to answer a request that was lent.
fn owed() -> Reply<'static> {
    let world = get(input::GET_49, 1);
    world.rx.filled(world.arrived);
    match world
        .connection
        .step(&world.site, &mut world.rx, &mut world.tx)
    {
        Step::Request(exchange) => exchange.reply,
        other => panic!("{other:?}"),
    }
}

// Status line, `Date`, `Content-Type`, `Content-Length` and 13 bytes.
#[library_benchmark]
#[bench::text_13(args = (), setup = owed, config = budget("step/response/text_13"))]
fn response(reply: Reply<'static>) -> Done {
    or_500(reply.status(Status::OK).text("Hello, World!"))
}

library_benchmark_group!(
    name = step_group;
    benchmarks = round_trip, response
);
