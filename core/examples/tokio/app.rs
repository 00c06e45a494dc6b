//! The application of the tokio example: the routes that the conformance probe asks for, with the
//! statistics of the 1 Million Request Challenge, and a slow one.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use barewire_core::connection::{
    Done, Ending, Exchange, FieldName, FieldValue, Fork, Full, Inflow, Outlet, Reply, ReplyHead,
};
use barewire_core::json::{Object, Value};
use barewire_core::router::{ALLOW_BYTES_MAX, Lookup, Params, Router, Verb, Verbs};
use barewire_core::stats::{Amount, ID_BYTES_MAX, Key, Refused, SoloStats};
use barewire_core::wire::{Form, Framing, Head, Method, Status, percent};
use tokio::time::sleep;

#[derive(Clone, Copy)]
enum Page {
    Plaintext,
    Json,
    Health,
    Echo,
    User,
    Slow,
    Event,
    Stats,
    Reset,
}

static PAGES: Router<Page, 9> = Router::new()
    .with(Verb::Get, "/plaintext", Page::Plaintext)
    .with(Verb::Get, "/json", Page::Json)
    .with(Verb::Get, "/health", Page::Health)
    .with(Verb::Post, "/echo", Page::Echo)
    .with(Verb::Get, "/users/{id}", Page::User)
    .with(Verb::Get, "/slow/{ms}", Page::Slow)
    .with(Verb::Post, "/event", Page::Event)
    .with(Verb::Get, "/stats", Page::Stats)
    .with(Verb::Post, "/reset", Page::Reset);

/// Bytes of an echo that are held back: a body that is malformed within them is answered 400.
const HOLD_BYTES: usize = 4096;

/// Users of the statistics: a million of the challenge.
const USERS_MAX: usize = 1 << 20;
/// Bytes of all their ids: 64 for each, where a UUID has 36.
const ARENA_BYTES: usize = USERS_MAX * 64;

/// What all connections share of it.
pub(crate) struct App {
    /// Those of one loop, behind a lock: a task does not know its thread. Recorders that never wait
    /// (`stats::Stats`) want one thread each, which says when it blocks: a runtime for each core.
    stats: Mutex<SoloStats<'static>>,
    /// Slow handlers that wait.
    slow: AtomicUsize,
}

impl App {
    pub(crate) fn new() -> Self {
        // Never given back, so it may as well be static.
        let (table, arena) = (vec![0; USERS_MAX * 2].leak(), vec![0; ARENA_BYTES].leak());
        // The standard library keys its own hash tables with the system's randomness.
        let random = || RandomState::new().hash_one(0u8);
        App {
            stats: Mutex::new(SoloStats::new(table, arena, Key::new(random(), random()))),
            slow: AtomicUsize::new(0),
        }
    }

    /// What can be answered at once. Its body, if it has one, is gathered.
    pub(crate) fn request(&self, exchange: Exchange<'_>) -> Done {
        let reply = exchange.reply;
        let (page, params) = match find(&exchange.head) {
            Ok(found) => found,
            Err((status, allow)) => return refuse(reply.status(status), allow),
        };
        match page {
            Page::Plaintext => or_500(reply.status(Status::OK).text("Hello, World!")),
            Page::Json => json(reply, br#"{"message":"Hello, World!"}"#),
            Page::Health => or_500(reply.status(Status::OK).text("ok")),
            // An empty body comes without a fork.
            Page::Echo => or_500(begin_echo(reply).body(exchange.body)),
            // One that does not fit into what is left of the send buffer waits for all of it.
            Page::User => user(params, reply).unwrap_or_else(|full| full.0.defer()),
            // A handler that waits is put off first, so that the answers before its own are sent.
            Page::Slow => reply.defer(),
            Page::Event => match self.record(exchange.body) {
                Ok(()) => or_500(reply.status(Status::OK).body(b"")),
                Err(status) => reply.bare(status),
            },
            Page::Stats => {
                let snapshot = self.with_stats(|stats| stats.snapshot());
                let mut text = [0; 256];
                match snapshot.write_json(&mut text) {
                    Some(len) => json(reply, &text[..len]),
                    None => reply.bare(Status::INTERNAL_SERVER_ERROR),
                }
            }
            Page::Reset => {
                self.with_stats(SoloStats::reset);
                json(reply, br#"{"status":"reset"}"#)
            }
        }
    }

    /// What was put off. Dropped where it awaits when the peer is gone or the deadline has passed.
    pub(crate) async fn resume(&self, exchange: Exchange<'_>) -> Done {
        match find(&exchange.head) {
            Ok((Page::User, params)) => or_500(user(params, exchange.reply)),
            Ok((Page::Slow, params)) => slow(params, exchange.reply, &self.slow).await,
            _ => exchange.reply.bare(Status::INTERNAL_SERVER_ERROR),
        }
    }

    /// A head whose body is still to come.
    pub(crate) fn head(&self, fork: Fork<'_>) -> Done {
        match find(&fork.head) {
            Ok((Page::Echo, _)) => fork.stream_after(HOLD_BYTES),
            Ok(_) => fork.gather(usize::MAX),
            Err((status, allow)) => refuse(fork.refuse(status), allow),
        }
    }

    /// A piece of a body of any size goes back at once: the answer is as long as the body, or chunked
    /// as the body is.
    pub(crate) fn chunk(&self, inflow: &mut Inflow<'_>) {
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

    /// The body is over, and so is its echo.
    pub(crate) fn end(&self, ending: Ending<'_>) -> Done {
        match ending.outlet {
            Outlet::Reply(reply) => or_500(begin_echo(reply).body(b"")),
            Outlet::Writer(writer) => writer.finish(),
        }
    }

    /// Counts `{"userId":"text","value":number}`, or says what it is answered instead.
    fn record(&self, body: &[u8]) -> Result<(), Status> {
        let (mut user, mut value) = (None, None);
        let mut object = Object::new(body).map_err(|_| Status::BAD_REQUEST)?;
        while let Some((key, found)) = object.next().map_err(|_| Status::BAD_REQUEST)? {
            let member = match () {
                () if key.eq_str("userId") => &mut user,
                () if key.eq_str("value") => &mut value,
                () => continue,
            };
            if member.replace(found).is_some() {
                return Err(Status::BAD_REQUEST); // which of both?
            }
        }
        let (Some(Value::Text(user)), Some(Value::Number(value))) = (user, value) else {
            return Err(Status::BAD_REQUEST);
        };
        let (integer, fraction) = (value.integer(), value.fraction());
        let amount = Amount::from_decimal(value.negative(), integer, fraction, value.exponent())
            .map_err(|_| Status::UNPROCESSABLE_CONTENT)?;
        let mut room = [0; ID_BYTES_MAX];
        match user.unescape(&mut room) {
            Ok(b"") => Err(Status::BAD_REQUEST),
            Ok(id) => self
                .with_stats(|stats| stats.record(id, amount))
                .map_err(|why| match why {
                    Refused::IdTooLong => Status::UNPROCESSABLE_CONTENT,
                    Refused::Full => Status::INSUFFICIENT_STORAGE,
                }),
            Err(_) => Err(Status::UNPROCESSABLE_CONTENT),
        }
    }

    /// Held for microseconds and never across an `await`.
    fn with_stats<T>(&self, work: impl FnOnce(&mut SoloStats<'static>) -> T) -> T {
        work(&mut self.stats.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Answers after so many milliseconds, as if it had asked a database.
async fn slow(params: Params<'_>, reply: Reply<'_>, waiting: &AtomicUsize) -> Done {
    let ms = params.get("ms").and_then(|ms| str::from_utf8(ms).ok());
    let Some(ms) = ms.and_then(|ms| ms.parse::<u32>().ok()) else {
        return reply.bare(Status::BAD_REQUEST);
    };
    /// Counts down also if the handler is dropped.
    struct Waits<'s>(&'s AtomicUsize);
    impl Drop for Waits<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Relaxed);
        }
    }
    let others = waiting.fetch_add(1, Relaxed);
    let _waits = Waits(waiting);
    sleep(Duration::from_millis(ms.into())).await;
    let text = format!("waited {ms} ms beside {others} others");
    or_500(reply.status(Status::OK).text(&text))
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

fn refuse(head: ReplyHead<'_>, allow: Verbs) -> Done {
    let mut room = [0; ALLOW_BYTES_MAX];
    match FieldValue::new(allow.write(&mut room)) {
        Some(value) if !allow.is_empty() => or_500(head.field(FieldName::ALLOW, value).body(b"")),
        _ => or_500(head.body(b"")),
    }
}

fn or_500(outcome: Result<Done, Full<'_>>) -> Done {
    outcome.unwrap_or_else(|full| full.0.bare(Status::INTERNAL_SERVER_ERROR))
}

fn json(reply: Reply<'_>, text: &[u8]) -> Done {
    or_500(reply.status(Status::OK).json(text))
}

/// The id, percent-decoded: up to 8 KiB, more than the promised room.
fn user<'s>(params: Params<'_>, reply: Reply<'s>) -> Result<Done, Full<'s>> {
    let mut room = [0; 8192];
    let id = params.get("id").unwrap_or_default();
    let Ok(len) = percent::decode_into(id, &mut room) else {
        return Ok(reply.bare(Status::URI_TOO_LONG));
    };
    let head = reply.status(Status::OK);
    head.field(FieldName::CONTENT_TYPE, FieldValue::TEXT)
        .body(&room[..len])
}

fn begin_echo(reply: Reply<'_>) -> ReplyHead<'_> {
    reply
        .status(Status::OK)
        .field(FieldName::CONTENT_TYPE, FieldValue::BYTES)
}
