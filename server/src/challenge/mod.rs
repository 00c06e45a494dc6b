//! The 1 Million Request Challenge: `POST /event`, `GET /stats`, and what its clients and
//! measurements need besides.
//!
//! | route              | answer                                                             |
//! |--------------------|--------------------------------------------------------------------|
//! | `POST /event`      | `{"userId":"text","value":number}`: 200 and empty, or as configured |
//! | `GET /stats`       | `{"totalRequests":..,"uniqueUsers":..,"sum":..,"avg":..}`           |
//! | `POST /reset`      | sets the statistics to zero                                         |
//! | `GET /health`      | `{"status":"healthy"}`                                              |
//! | `GET /ping`        | `pong`                                                              |
//! | `GET /plaintext`   | `Hello, World!`                                                     |
//! | `GET /json`        | `{"message":"Hello, World!"}`                                       |
//! | `POST /echo`       | the body, of any size up to the limit, while it comes               |
//! | `GET /users/{id}`  | the id, percent-decoded                                             |

mod echo;
mod event;
mod waiting;

use std::hash::{BuildHasher, RandomState};
use std::hint::cold_path;
use std::io;

use barewire_core::connection::{
    Done, Ending, Exchange, FieldName, FieldValue, Fork, Full, Inflow, Outlet, Prepared, Reply,
    ReplyHead,
};
use barewire_core::router::{ALLOW_BYTES_MAX, Lookup, Router, Verb, Verbs};
use barewire_core::stats::{Capacity, Key, Outcome, Recorder, Shard, Snapshot, Stats, Ticket};
use barewire_core::wire::{Head, Method, Status, percent};

use crate::app::{App, Context};
use crate::footprint::Presence;
use crate::platform::{Region, page_bytes};
use waiting::Waiting;

/// What `POST /event` answers when it has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventReply {
    /// 200 and an empty body: what the challenge's official clients expect.
    #[default]
    Ok,
    /// 201 and `{"status":"ok"}`.
    Created,
}

/// The choices of the application.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What `POST /event` answers.
    pub event_reply: EventReply,
    /// How many users the statistics hold.
    pub capacity: Capacity,
    /// Touch all memory of the statistics at the start, and lock it where that is allowed
    /// ([`Board::presence`] says whether). Default false: it is touched as users come.
    pub prefault: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            event_reply: EventReply::Ok,
            capacity: Capacity::DEFAULT,
            prefault: false,
        }
    }
}

/// The statistics in memory of their own, shared by all workers.
#[derive(Clone, Copy, Debug)]
pub struct Board {
    stats: &'static Stats<'static>,
    options: Options,
    /// Bytes reserved for users and their ids.
    reserved_bytes: usize,
    presence: Presence,
}

impl Board {
    /// Reserves the memory for `workers` workers. It is never given back.
    ///
    /// # Errors
    /// If so much memory cannot be reserved, or not be touched.
    pub fn new(options: Options, workers: usize) -> io::Result<Board> {
        let table_bytes = options.capacity.table_words() * size_of::<u64>();
        let arena_bytes = options.capacity.arena_words(workers) * size_of::<u64>();
        // In pages of the usual size: huge ones were no faster (the front of the table and the ids
        // of 75,000 users take 700 pages, fewer than the processor knows by heart), and ten users
        // took 6.9 MB with them where they take 2.7.
        let mut table = Region::map(table_bytes)?;
        let mut arena = Region::map(arena_bytes)?;
        let mut presence = Presence::AsNeeded;
        if options.prefault {
            table.prefault()?;
            arena.prefault()?;
            presence = Presence::touched(table.lock() && arena.lock());
        }
        let (table, arena) = (table.into_words(), arena.into_words());
        let shards: Vec<Shard> = std::iter::repeat_with(Shard::new).take(workers).collect();
        // The standard library keys its own hash tables with the system's randomness.
        let random = || RandomState::new().hash_one(0u8);
        let key = Key::new(random(), random());
        let stats = Stats::new(shards.leak(), table, arena, options.capacity, key)
            .ok_or(io::ErrorKind::InvalidInput)?;
        let stats = Box::leak(Box::new(stats));
        Ok(Board {
            stats,
            options,
            reserved_bytes: table_bytes + arena_bytes,
            presence,
        })
    }

    /// The application of one worker. Each number must be used once.
    ///
    /// # Panics
    /// If it is used again, or is not below the number of workers.
    pub fn worker(&self, number: usize) -> Challenge {
        let recorder = self
            .stats
            .recorder(number)
            .expect("every worker has its own number");
        Challenge {
            stats: self.stats,
            recorder,
            options: self.options,
            waiting: Waiting::new(),
        }
    }

    /// Bytes reserved for users and their ids.
    pub fn reserved_bytes(&self) -> usize {
        self.reserved_bytes
    }

    /// Bytes of memory that the application has resident at most: users, ids, and the books of
    /// `workers` workers. What a worker's part takes lies on its stack.
    pub fn memory_bytes_max(&self, workers: usize) -> usize {
        // Two regions, each to the end of its last page.
        let rounding = 2 * page_bytes();
        let books = workers.saturating_mul(size_of::<Shard>()) + size_of::<Stats<'static>>();
        self.reserved_bytes + rounding + books
    }

    /// How much of the reserved memory is there from the start.
    pub fn presence(&self) -> Presence {
        self.presence
    }
}

/// Bytes of an answer at most, unless it waits for an empty buffer: the text of `/stats` with the
/// largest numbers, and a head.
pub const REPLY_BYTES_MAX: u32 = 512;

/// The application of one worker.
#[derive(Debug)]
pub struct Challenge {
    stats: &'static Stats<'static>,
    recorder: Recorder<'static>,
    options: Options,
    waiting: Waiting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Event,
    Stats,
    Reset,
    Health,
    Ping,
    Plaintext,
    Json,
    Echo,
    User,
}

/// The worker's word for a request whose head said that it is an event: it need not be routed
/// again when its body is there. (Of all routes with a body it is the only one in a hurry.)
const EVENT: u16 = 1;

/// Where events go.
const EVENT_PATH: &str = "/event";

static ROUTES: Router<Route, 9> = Router::new()
    .with(Verb::Post, EVENT_PATH, Route::Event)
    .with(Verb::Get, "/stats", Route::Stats)
    .with(Verb::Post, "/reset", Route::Reset)
    .with(Verb::Get, "/health", Route::Health)
    .with(Verb::Get, "/ping", Route::Ping)
    .with(Verb::Get, "/plaintext", Route::Plaintext)
    .with(Verb::Get, "/json", Route::Json)
    .with(Verb::Post, "/echo", Route::Echo)
    .with(Verb::Get, "/users/{id}", Route::User);

const TEXT: &[(FieldName<'_>, FieldValue<'_>)] = &[(FieldName::CONTENT_TYPE, FieldValue::TEXT)];
const JSON: &[(FieldName<'_>, FieldValue<'_>)] = &[(FieldName::CONTENT_TYPE, FieldValue::JSON)];

static HEALTHY: Prepared = Prepared::new(Status::OK, JSON, br#"{"status":"healthy"}"#);
static PONG: Prepared = Prepared::new(Status::OK, TEXT, b"pong");
static HELLO: Prepared = Prepared::new(Status::OK, TEXT, b"Hello, World!");
static HELLO_JSON: Prepared = Prepared::new(Status::OK, JSON, br#"{"message":"Hello, World!"}"#);
static COUNTED: Prepared = Prepared::new(Status::OK, &[], b"");
static CREATED: Prepared = Prepared::new(Status::CREATED, JSON, br#"{"status":"ok"}"#);

/// Where a request goes, or why it goes nowhere.
enum Way<'p> {
    To(Route, barewire_core::router::Params<'p>),
    Refused(Status, Verbs),
}

// What it gives would go through memory: 24 instructions for a request.
#[inline(always)]
fn way<'p>(head: &Head<'p>) -> Way<'p> {
    let Some(verb) = verb_of(head.method()) else {
        return Way::Refused(Status::NOT_IMPLEMENTED, Verbs::NONE);
    };
    // Looked at first, and by itself: among the others it is one of a table of jumps.
    let lookup = ROUTES.find(verb, head.path());
    if let Lookup::Found { handler, params } = lookup {
        return Way::To(handler, params);
    }
    cold_path();
    match lookup {
        // The server as a whole (RFC 9110 section 9.3.7); no route is called so.
        _ if head.path() == b"*" => Way::Refused(Status::NO_CONTENT, ROUTES.all_verbs()),
        Lookup::Found { handler, params } => Way::To(handler, params),
        Lookup::Options { allow } => Way::Refused(Status::NO_CONTENT, allow),
        Lookup::MethodNotAllowed { allow } => Way::Refused(Status::METHOD_NOT_ALLOWED, allow),
        Lookup::NotFound => Way::Refused(Status::NOT_FOUND, Verbs::NONE),
    }
}

/// What the router would say of the one route in a hurry, in two comparisons: 117 instructions and
/// 18 cache lines of code less for each event. Whatever is spelled in another way goes to the
/// router.
#[inline(always)]
fn is_event(head: &Head<'_>) -> bool {
    head.method() == Method::Post && head.path() == EVENT_PATH.as_bytes()
}

/// `None` for methods that this server does not know (RFC 9110 section 15.6.2): CONNECT has no
/// meaning here either.
fn verb_of(method: Method) -> Option<Verb> {
    Some(match method {
        Method::Get => Verb::Get,
        Method::Head => Verb::Head,
        Method::Post => Verb::Post,
        Method::Put => Verb::Put,
        Method::Delete => Verb::Delete,
        Method::Options => Verb::Options,
        Method::Trace => Verb::Trace,
        Method::Patch => Verb::Patch,
        Method::Connect | Method::Other => return None,
    })
}

/// Says why, with `Allow` where it belongs.
fn refuse(reply: ReplyHead<'_>, status: Status, allow: Verbs, head: &Head<'_>) -> Done {
    let mut room = [0; ALLOW_BYTES_MAX];
    let reply = match FieldValue::new(allow.write(&mut room)) {
        Some(value) if !allow.is_empty() => reply.field(FieldName::ALLOW, value),
        _ => reply,
    };
    let reason = match status {
        Status::NOT_FOUND => "nothing is at this path",
        Status::METHOD_NOT_ALLOWED => "this path does not take this method",
        Status::NOT_IMPLEMENTED => "no such method is known here",
        _ => return or_500(reply.body(b"")),
    };
    reply.refusal(reason, head.notation())
}

/// The head of a request with a body that is no event.
#[inline(never)]
fn other_head(fork: Fork<'_>) -> Done {
    match way(&fork.head) {
        Way::Refused(status, allow) => {
            let head = fork.head;
            refuse(fork.refuse(status), status, allow, &head)
        }
        Way::To(Route::Echo, _) => fork.stream_after(echo::HOLD_BYTES),
        Way::To(..) => fork.gather(usize::MAX),
    }
}

fn or_500(outcome: Result<Done, Full<'_>>) -> Done {
    outcome.unwrap_or_else(|full| full.0.bare(Status::INTERNAL_SERVER_ERROR))
}

impl App for Challenge {
    // Called from one place, with much to hand over: 87 instructions less for a request.
    #[inline(always)]
    fn request(&mut self, context: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        let Exchange {
            head, body, reply, ..
        } = exchange;
        let (route, params) = match *context.route() {
            // Its head was here before.
            EVENT => (Route::Event, None),
            _ => match way(&head) {
                Way::To(route, params) => (route, Some(params)),
                Way::Refused(status, allow) => {
                    return refuse(reply.status(status), status, allow, &head);
                }
            },
        };
        match route {
            Route::Event => self.event(&head, body, reply),
            Route::Stats => self.statistics(context, self.ticket(false), &head, reply),
            Route::Reset => self.statistics(context, self.ticket(true), &head, reply),
            Route::Health => reply.prepared(&HEALTHY),
            Route::Ping => reply.prepared(&PONG),
            Route::Plaintext => reply.prepared(&HELLO),
            Route::Json => reply.prepared(&HELLO_JSON),
            // A body of length 0 comes without a fork.
            Route::Echo => echo::whole(body, reply),
            Route::User => {
                let id = params.and_then(|params| params.get("id"));
                user(id.unwrap_or_default(), &head, reply, true)
            }
        }
    }

    fn resume(&mut self, context: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        if let Some(ticket) = self.waiting.take(context.peer()) {
            return self.statistics(context, Some(ticket), &exchange.head, exchange.reply);
        }
        let Exchange { head, reply, .. } = exchange;
        match way(&head) {
            // The send buffer is empty now: what does not fit now never does.
            Way::To(Route::User, params) => {
                user(params.get("id").unwrap_or_default(), &head, reply, false)
            }
            _ => reply.bare(Status::INTERNAL_SERVER_ERROR),
        }
    }

    fn head(&mut self, context: &mut Context<'_>, fork: Fork<'_>) -> Done {
        if is_event(&fork.head) {
            *context.route() = EVENT;
            return fork.gather(usize::MAX);
        }
        other_head(fork)
    }

    fn chunk(&mut self, _: &mut Context<'_>, inflow: &mut Inflow<'_>) {
        echo::chunk(inflow);
    }

    fn end(&mut self, _: &mut Context<'_>, ending: Ending<'_>) -> Done {
        match ending.outlet {
            Outlet::Reply(reply) => echo::whole(b"", reply),
            Outlet::Writer(writer) => writer.finish(),
        }
    }

    fn gone(&mut self, context: &mut Context<'_>) {
        self.waiting.take(context.peer());
    }

    fn turn(&mut self) {
        self.recorder.turn();
    }

    fn sleep(&mut self) {
        self.recorder.offline();
    }
}

/// How often a snapshot is looked at before its request is put off. A worker that is awake passes
/// its turn within microseconds; waiting so long is cheaper than another round of the loop.
const SPINS: u32 = 64;

impl Challenge {
    fn event(&mut self, head: &Head<'_>, body: &[u8], reply: Reply<'_>) -> Done {
        let outcome = event::parse(body, |id, amount| self.recorder.record(id, amount));
        match (outcome, self.options.event_reply) {
            (Ok(()), EventReply::Ok) => reply.prepared(&COUNTED),
            (Ok(()), EventReply::Created) => reply.prepared(&CREATED),
            (Err(refusal), _) => {
                self.recorder.refuse();
                let reply = reply.status(refusal.status());
                reply.refusal_at(refusal.reason(), refusal.place(body), head.notation())
            }
        }
    }

    fn ticket(&self, reset: bool) -> Option<Ticket> {
        if self.waiting.is_full() {
            return None;
        }
        Some(if reset {
            self.stats.reset()
        } else {
            self.stats.snapshot()
        })
    }

    /// Answers a snapshot or a reset as soon as all workers have seen it.
    fn statistics(
        &mut self,
        context: &mut Context<'_>,
        ticket: Option<Ticket>,
        head: &Head<'_>,
        reply: Reply<'_>,
    ) -> Done {
        let Some(mut ticket) = ticket else {
            return reply
                .status(Status::SERVICE_UNAVAILABLE)
                .refusal("too many wait for this", head.notation());
        };
        for _ in 0..SPINS {
            match ticket.poll(&mut self.recorder) {
                Some(Outcome::State(snapshot)) => return state(&snapshot, reply),
                Some(Outcome::Cleared(_)) => {
                    return or_500(reply.status(Status::OK).json(br#"{"status":"reset"}"#));
                }
                None => std::hint::spin_loop(),
            }
        }
        self.waiting.put(context.peer(), ticket);
        reply.defer()
    }
}

fn state(snapshot: &Snapshot, reply: Reply<'_>) -> Done {
    let mut text = [0; 256];
    match snapshot
        .write_json(&mut text)
        .and_then(|len| text.get(..len))
    {
        Some(json) => or_500(reply.status(Status::OK).json(json)),
        None => reply.bare(Status::INTERNAL_SERVER_ERROR),
    }
}

/// The id as plain text, whatever bytes it decodes to. One that is longer than the promised room
/// waits for an empty buffer.
fn user(id: &[u8], head: &Head<'_>, reply: Reply<'_>, may_wait: bool) -> Done {
    let too_long = |reply: Reply<'_>| {
        let reply = reply.status(Status::URI_TOO_LONG);
        reply.refusal("the id is too long", head.notation())
    };
    let mut room = [0; 8192];
    let decoded = percent::decode_into(id, &mut room)
        .ok()
        .and_then(|len| room.get(..len));
    let Some(decoded) = decoded else {
        return too_long(reply);
    };
    let reply = reply
        .status(Status::OK)
        .field(FieldName::CONTENT_TYPE, FieldValue::TEXT);
    match reply.body(decoded) {
        Ok(done) => done,
        Err(Full(reply)) if may_wait => reply.defer(),
        Err(Full(reply)) => too_long(reply),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_route_in_a_hurry_is_the_one_that_the_router_finds() {
        let found = ROUTES.find(Verb::Post, EVENT_PATH.as_bytes());
        assert!(
            matches!(
                &found,
                Lookup::Found {
                    handler: Route::Event,
                    ..
                }
            ),
            "{found:?}"
        );
    }
}
