//! The core in a server of the standard library: blocking sockets, a thread for each connection.
//! The embedding to copy where threads are cheap and connections are few.
//!
//! ```text
//! cargo run -p barewire-core --example std -- 127.0.0.1:8080
//! ```
//!
//! Everything that an embedding owes the core is in [`serve`]: do the one thing that each step
//! says, and keep the time. What the application owes is below it: an answer to each request.
//!
//! Port 0 takes a free port; the first line of output names it. `--fast-deadlines` is for tests.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::connection::{
    Bodies, BodyWriter, Check, Connection, Deadline, Done, Ending, Exchange, FieldName, FieldValue,
    Fork, Full, Inflow, Outlet, Reply, ReplyHead, Site, Step,
};
use barewire_core::limits::Limits;
use barewire_core::router::{ALLOW_BYTES_MAX, Lookup, Params, Router, Verb, Verbs};
use barewire_core::wire::{Date, Form, Framing, Head, Method, Status, percent};

/// Connections that are served at a time; the next one is told 503. Each costs a thread.
const CONNECTIONS_MAX: usize = 512;

/// Bytes of a thread's stack: both buffers, a decoded path, and room for calls.
const STACK_BYTES: usize = 256 << 10;

fn main() -> io::Result<()> {
    let mut addr = "127.0.0.1:8080".to_owned();
    let mut limits = Limits::DEFAULT;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--fast-deadlines" => limits = fast(),
            _ => addr = argument,
        }
    }
    let listener = TcpListener::bind(&addr)?;
    println!("listening  http://{}", listener.local_addr()?);

    // One that is turned away gets its answer from the thread that accepts: it may not wait there.
    let hasty = Limits {
        send_ms: 1,
        linger_ms: 1,
        ..Limits::DEFAULT
    };
    let open = AtomicUsize::new(0);
    thread::scope(|threads| {
        for stream in listener.incoming() {
            let Ok(stream) = stream else {
                // Out of descriptors, most likely: one may be free soon.
                thread::sleep(Duration::from_millis(10));
                continue;
            };
            let seat = Seat::take(&open);
            if seat.number > CONNECTIONS_MAX {
                let mut connection = Connection::new();
                connection.refuse_busy();
                serve(stream, connection, &hasty);
                continue;
            }
            let limits = &limits;
            let _ =
                thread::Builder::new()
                    .stack_size(STACK_BYTES)
                    .spawn_scoped(threads, move || {
                        let _seat = seat; // given back even if a handler panics
                        serve(stream, Connection::new(), limits);
                    });
        }
    });
    Ok(())
}

/// Lives as long as one connection.
struct Seat<'a> {
    open: &'a AtomicUsize,
    number: usize,
}

impl<'a> Seat<'a> {
    fn take(open: &'a AtomicUsize) -> Self {
        let number = open.fetch_add(1, Ordering::Relaxed) + 1;
        Seat { open, number }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One connection from its first byte to its close. Every error of the socket is the same to us:
/// the peer is gone.
fn serve(mut stream: TcpStream, mut connection: Connection, limits: &Limits) {
    // Answers are written as a whole: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let mut rx = RecvBuffer::<[u8; 8192]>::new();
    let mut tx = SendBuffer::<[u8; 16384]>::new();
    let mut deadline = Deadline::new();
    let mut clock = Clock::new();
    let mut count = Count(0);
    loop {
        let date = clock.date();
        let site = Site {
            date: Some(&date),
            bodies: Bodies::Ask,
            ..Site::new(limits)
        };
        match connection.step(&site, &mut rx, &mut tx) {
            // The bytes that are lent here are asked for again below, when the time is known.
            Step::Read(_) => {
                deadline.watch(&connection, &rx, limits, clock.ms());
                let Some(wait) = left(&deadline, clock.ms()) else {
                    connection.expire();
                    continue;
                };
                let outcome = stream
                    .set_read_timeout(Some(wait))
                    .and_then(|()| stream.read(rx.space()));
                match outcome {
                    Ok(0) => rx.end(),
                    Ok(n) => rx.filled(n),
                    Err(error) if may_go_on(&error) => {}
                    Err(_) => connection.lose(),
                }
            }
            Step::Write(_) => {
                deadline.watch(&connection, &rx, limits, clock.ms());
                let Some(wait) = left(&deadline, clock.ms()) else {
                    connection.expire();
                    continue;
                };
                let outcome = stream
                    .set_write_timeout(Some(wait))
                    .and_then(|()| stream.write(tx.pending()));
                match outcome {
                    Ok(n) => tx.sent(n),
                    Err(error) if may_go_on(&error) => {}
                    Err(_) => connection.lose(),
                }
            }
            Step::Request(exchange) => {
                let _ = answer(exchange, &mut count, true);
            }
            // An answer that did not fit was put off, and all before it is sent now: once more,
            // with the whole buffer. A pool of threads would take the exchange from here.
            Step::Away => {
                if let Some(exchange) = connection.resume(&site, &mut rx, &mut tx) {
                    let _ = answer(exchange, &mut count, false);
                }
            }
            Step::Head(fork) => {
                let _ = choose(fork);
            }
            Step::Chunk(mut inflow) => echo(&mut inflow),
            Step::End(ending) => {
                let _ = end_echo(ending);
            }
            Step::Room(writer) => {
                let _ = count.go_on(writer);
            }
            Step::Cut => count = Count(0),
            Step::HalfClose => {
                let _ = stream.shutdown(Shutdown::Write);
            }
            Step::Close => return,
        }
    }
}

/// What is left of the deadline; `None` if it has passed. A socket takes no time-out of 0.
fn left(deadline: &Deadline, now_ms: u32) -> Option<Duration> {
    match deadline.check(now_ms) {
        Check::Later(due_ms) => {
            let ms = due_ms.wrapping_sub(now_ms).max(1);
            Some(Duration::from_millis(ms.into()))
        }
        Check::Passed => None,
    }
}

/// A time-out is no failure of the socket: the next step finds the deadline passed.
fn may_go_on(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

/// The core reads no clock. It wants milliseconds that only rise, and a date that is renewed once
/// a second.
struct Clock {
    start: Instant,
    second: u64,
    date: Date,
}

impl Clock {
    fn new() -> Self {
        Clock {
            start: Instant::now(),
            second: 0,
            date: Date::from_unix(0),
        }
    }

    fn ms(&self) -> u32 {
        self.start.elapsed().as_millis() as u32 // wraps, as it may
    }

    fn date(&mut self) -> Date {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let second = since.map_or(0, |since| since.as_secs());
        if second != self.second {
            self.second = second;
            self.date = Date::from_unix(second);
        }
        self.date
    }
}

/// Deadlines short enough for a test to wait for them.
fn fast() -> Limits {
    Limits {
        first_byte_ms: 600,
        head_ms: 600,
        request_ms: 1_200,
        pace_ms: 600,
        send_ms: 600,
        idle_ms: 600,
        linger_ms: 300,
        ..Limits::DEFAULT
    }
}

// From here on it is an application.

#[derive(Clone, Copy)]
enum Page {
    Plaintext,
    Json,
    Health,
    Echo,
    User,
    Count,
}

static PAGES: Router<Page, 6> = Router::new()
    .with(Verb::Get, "/plaintext", Page::Plaintext)
    .with(Verb::Get, "/json", Page::Json)
    .with(Verb::Get, "/health", Page::Health)
    .with(Verb::Post, "/echo", Page::Echo)
    .with(Verb::Get, "/users/{id}", Page::User)
    .with(Verb::Get, "/count", Page::Count);

/// Bytes of an echo that are held back: a body that is malformed within them is answered 400.
const HOLD_BYTES: usize = 4096;

/// A request whose body, if it has one, is gathered.
fn answer(exchange: Exchange<'_>, count: &mut Count, may_wait: bool) -> Done {
    let reply = exchange.reply;
    let (page, params) = match find(&exchange.head) {
        Ok(found) => found,
        Err((status, allow)) => return refuse(reply.status(status), allow, &exchange.head),
    };
    match page {
        Page::Plaintext => or_500(reply.status(Status::OK).text("Hello, World!")),
        Page::Json => or_500(
            reply
                .status(Status::OK)
                .json(br#"{"message":"Hello, World!"}"#),
        ),
        Page::Health => or_500(reply.status(Status::OK).text("ok")),
        // An empty body comes without a fork.
        Page::Echo => or_500(begin_echo(reply).body(exchange.body)),
        Page::User => user(params.get("id").unwrap_or_default(), reply, may_wait),
        Page::Count => match reply.status(Status::OK).stream(None) {
            Ok(writer) => count.begin(writer),
            Err(full) => full.0.bare(Status::INTERNAL_SERVER_ERROR),
        },
    }
}

/// A head whose body is still to come.
fn choose(fork: Fork<'_>) -> Done {
    match find(&fork.head) {
        Ok((Page::Echo, _)) => fork.stream_after(HOLD_BYTES),
        Ok(_) => fork.gather(usize::MAX),
        Err((status, allow)) => {
            let head = fork.head;
            refuse(fork.refuse(status), allow, &head)
        }
    }
}

/// Where a request goes, or the status and `Allow` of its refusal.
fn find<'p>(head: &Head<'p>) -> Result<(Page, Params<'p>), (Status, Verbs)> {
    let verb = match head.method() {
        Method::Get => Verb::Get,
        Method::Head => Verb::Head,
        Method::Post => Verb::Post,
        Method::Put => Verb::Put,
        Method::Delete => Verb::Delete,
        Method::Options => Verb::Options,
        Method::Trace => Verb::Trace,
        Method::Patch => Verb::Patch,
        Method::Connect | Method::Other => return Err((Status::NOT_IMPLEMENTED, Verbs::NONE)),
    };
    if head.form() == Form::Asterisk || head.path() == b"*" {
        return Err((Status::NO_CONTENT, PAGES.all_verbs()));
    }
    match PAGES.find(verb, head.path()) {
        Lookup::Found { handler, params } => Ok((handler, params)),
        Lookup::Options { allow } => Err((Status::NO_CONTENT, allow)),
        Lookup::MethodNotAllowed { allow } => Err((Status::METHOD_NOT_ALLOWED, allow)),
        Lookup::NotFound => Err((Status::NOT_FOUND, Verbs::NONE)),
    }
}

fn refuse(reply: ReplyHead<'_>, allow: Verbs, head: &Head<'_>) -> Done {
    let mut room = [0; ALLOW_BYTES_MAX];
    match FieldValue::new(allow.write(&mut room)) {
        Some(value) if !allow.is_empty() => reply
            .field(FieldName::ALLOW, value)
            .refusal("not with this method", head.notation()),
        _ => reply.refusal("nothing like this is here", head.notation()),
    }
}

fn or_500(outcome: Result<Done, Full<'_>>) -> Done {
    outcome.unwrap_or_else(|full| full.0.bare(Status::INTERNAL_SERVER_ERROR))
}

/// The id, percent-decoded: up to 8 KiB, more than the promised room, so it may have to wait.
fn user(id: &[u8], reply: Reply<'_>, may_wait: bool) -> Done {
    let mut room = [0; 8192];
    let Ok(len) = percent::decode_into(id, &mut room) else {
        return reply.bare(Status::URI_TOO_LONG);
    };
    let head = reply
        .status(Status::OK)
        .field(FieldName::CONTENT_TYPE, FieldValue::TEXT);
    match head.body(&room[..len]) {
        Ok(done) => done,
        Err(Full(reply)) if may_wait => reply.defer(),
        Err(Full(reply)) => reply.bare(Status::INTERNAL_SERVER_ERROR),
    }
}

fn begin_echo(reply: Reply<'_>) -> ReplyHead<'_> {
    reply
        .status(Status::OK)
        .field(FieldName::CONTENT_TYPE, FieldValue::BYTES)
}

/// A piece of a body of any size goes back at once: the answer is as long as the body, or chunked
/// as the body is.
fn echo(inflow: &mut Inflow<'_>) {
    let length = match inflow.head().framing() {
        Framing::Length(length) => Some(length),
        Framing::Chunked | Framing::None => None,
    };
    if let Outlet::Reply(reply) = inflow.outlet() {
        match begin_echo(reply).stream(length) {
            Ok(writer) => {
                let _ = writer.pause();
            }
            Err(full) => {
                let _ = full.0.bare(Status::INTERNAL_SERVER_ERROR);
                return;
            }
        }
    }
    inflow.echo();
}

fn end_echo(ending: Ending<'_>) -> Done {
    match ending.outlet {
        Outlet::Reply(reply) => or_500(begin_echo(reply).body(b"")),
        Outlet::Writer(writer) => writer.finish(),
    }
}

/// An answer that is longer than any buffer: the numbers from 1 on, a line for each. It holds the
/// number that was written last.
struct Count(u32);

impl Count {
    const LAST: u32 = 10_000;
    /// Bytes of a line at most.
    const LINE_BYTES: usize = 8;

    fn begin(&mut self, writer: BodyWriter<'_>) -> Done {
        *self = Count(0);
        self.go_on(writer)
    }

    /// Writes as much as there is room for; what is left waits for [`Step::Room`].
    fn go_on(&mut self, mut writer: BodyWriter<'_>) -> Done {
        use std::fmt::Write as _;
        while self.0 < Self::LAST {
            if writer.room() < Self::LINE_BYTES || writeln!(writer, "{}", self.0 + 1).is_err() {
                return writer.pause();
            }
            self.0 += 1;
        }
        writer.finish()
    }
}
