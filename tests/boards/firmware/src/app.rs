//! The application in HTTP: from a request to its answer.

use barewire_core::connection::{Done, Exchange, FieldName, FieldValue, Full, Reply};
use barewire_core::limits::Limits;
use barewire_core::router::{ALLOW_BYTES_MAX, Lookup, Router, Verb, Verbs};
use barewire_core::wire::{Head, Method, Status};

use super::desk::{Desk, STATE_BYTES};

/// Bytes of a request at most: its head with four rows of an index, and its body.
pub(crate) const RX_BYTES: usize = 768;
/// Bytes of answers that wait: the largest one, with its head.
pub(crate) const TX_BYTES: usize = 512;

/// Deadlines of a small network, where nobody is far away.
pub(crate) const LIMITS: Limits = Limits {
    first_byte_ms: 2_000,
    head_ms: 2_000,
    request_ms: 4_000,
    send_ms: 2_000,
    idle_ms: 5_000,
    linger_ms: 500,
    ..Limits::DEFAULT
};

#[derive(Clone, Copy)]
enum Page {
    Root,
    Event,
    Stats,
}

static PAGES: Router<Page, 3> = Router::new()
    .with(Verb::Get, "/", Page::Root)
    .with(Verb::Post, "/event", Page::Event)
    .with(Verb::Get, "/stats", Page::Stats);

/// Answers one request.
#[inline(never)]
pub(crate) fn answer(desk: &mut Desk<'_>, exchange: Exchange<'_>) -> Done {
    let Exchange {
        head, body, reply, ..
    } = exchange;
    match find(&head) {
        Ok(Page::Root) => send(reply, Status::OK, Some(TEXT), b"Hello, board!\n"),
        Ok(Page::Event) => match desk.event(body) {
            true => send(reply, Status::OK, None, b""),
            false => send(reply, Status::BAD_REQUEST, None, b""),
        },
        Ok(Page::Stats) => stats(desk, reply),
        Err((status, allow)) if allow.is_empty() => send(reply, status, None, b""),
        Err((status, allow)) => refuse(reply, status, allow),
    }
}

/// A field line.
type Line<'l> = (FieldName<'l>, FieldValue<'l>);

const TEXT: Line<'_> = (FieldName::CONTENT_TYPE, FieldValue::TEXT);
const JSON: Line<'_> = (FieldName::CONTENT_TYPE, FieldValue::JSON);

/// Once for all answers: what builds one is inlined where it is called.
#[inline(never)]
fn send(reply: Reply<'_>, status: Status, line: Option<Line<'_>>, body: &[u8]) -> Done {
    let mut head = reply.status(status);
    if let Some((name, value)) = line {
        head = head.field(name, value);
    }
    head.body(body)
        .unwrap_or_else(|Full(reply)| reply.bare(Status::INTERNAL_SERVER_ERROR))
}

/// Where a request goes, or the status and `Allow` of its refusal. Not inline: what the router
/// finds is off the stack before the handler begins.
#[inline(never)]
fn find(head: &Head<'_>) -> Result<Page, (Status, Verbs)> {
    let verb = match head.method() {
        Method::Get => Verb::Get,
        Method::Head => Verb::Head,
        Method::Post => Verb::Post,
        Method::Options => Verb::Options,
        _ => return Err((Status::NOT_IMPLEMENTED, Verbs::NONE)),
    };
    match PAGES.find(verb, head.path()) {
        Lookup::Found { handler, .. } => Ok(handler),
        Lookup::Options { allow } => Err((Status::NO_CONTENT, allow)),
        Lookup::MethodNotAllowed { allow } => Err((Status::METHOD_NOT_ALLOWED, allow)),
        Lookup::NotFound => Err((Status::NOT_FOUND, Verbs::NONE)),
    }
}

/// A function of its own: other requests shall not take the stack of its text.
#[inline(never)]
fn stats(desk: &Desk<'_>, reply: Reply<'_>) -> Done {
    let mut room = [0; STATE_BYTES];
    let text = desk.state(&mut room);
    send(reply, Status::OK, Some(JSON), text)
}

#[inline(never)]
fn refuse(reply: Reply<'_>, status: Status, allow: Verbs) -> Done {
    let mut room = [0; ALLOW_BYTES_MAX];
    let methods = FieldValue::new(allow.write(&mut room));
    let line = methods.map(|methods| (FieldName::ALLOW, methods));
    send(reply, status, line, b"")
}
