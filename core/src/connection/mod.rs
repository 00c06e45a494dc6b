//! What may happen when: one HTTP/1.1 server connection as a state machine without IO.
//!
//! [`Connection::step`] *decides* the one thing that has to happen next and *lends* what is needed
//! for it. The embedding does that one thing and steps again:
//!
//! ```
//! use barewire_core::buffer::{RecvBuffer, SendBuffer};
//! use barewire_core::connection::{Connection, Site, Step};
//! use barewire_core::limits::Limits;
//! use barewire_core::wire::Status;
//!
//! let site = Site::new(&Limits::DEFAULT);
//! let mut rx = RecvBuffer::<[u8; 4096]>::new();
//! let mut tx = SendBuffer::<[u8; 4096]>::new();
//! let mut connection = Connection::new();
//! let mut input: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
//! let mut output = Vec::new();
//! loop {
//!     match connection.step(&site, &mut rx, &mut tx) {
//!         Step::Read(space) => match std::io::Read::read(&mut input, space).unwrap() {
//!             0 => rx.end(),
//!             n => rx.filled(n),
//!         },
//!         Step::Write(bytes) => {
//!             output.extend_from_slice(bytes);
//!             let n = bytes.len();
//!             tx.sent(n);
//!         }
//!         Step::Request(exchange) => {
//!             exchange.reply.status(Status::OK).body(b"hello").unwrap();
//!         }
//!         Step::Close => break,
//!         _ => {} // with Bodies::Gather nothing comes but HalfClose, which nobody waits for here
//!     }
//! }
//! assert!(output.ends_with(b"\r\n\r\nhello"));
//! ```

mod body;
mod deadline;
mod decide;
mod digits;
mod fault;
mod field;
mod fork;
mod inflow;
mod phase;
mod prepared;
mod refusal;
mod reply;
mod reply_head;
mod site;
mod writer;

pub use deadline::{Check, Deadline};
pub use fault::Fault;
pub use field::{FieldName, FieldValue, ServerName};
pub use fork::Fork;
pub use inflow::{Ending, Inflow, Outlet};
pub use phase::Wait;
pub use prepared::{PREPARED_BYTES_MAX, Prepared};
pub use refusal::{Refusal, RefusalBody, Refusals};
pub use reply::{Done, Full, Reply};
pub use reply_head::ReplyHead;
pub use site::{Bodies, Site};
pub use writer::BodyWriter;

use crate::buffer::{RecvBuffer, SendBuffer};
use crate::wire::{ChunkDecoder, Fields, Framing, Head};
use decide::Next;
use phase::{Outbound, Phase};

/// One HTTP/1.1 server connection: state only. No bytes, no clock, no socket.
#[derive(Debug)]
pub struct Connection {
    /// Bytes of the body that are not decoded yet; for chunks, as many as are still allowed.
    left: u64,
    /// Bytes that a streamed answer with a length still owes.
    owed: u64,
    decoder: ChunkDecoder,
    /// Bytes dropped: of an unwanted body, or while lingering.
    dropped: u32,
    /// Bytes to have in hand: gathered at most, or before a stream begins.
    hold: u32,
    phase: Phase,
    outbound: Outbound,
    wait: Wait,
    fault: Option<Fault>,
    /// Requests begun, wrapping: tells one head from the next.
    requests: u8,
    /// Flushes of the send buffer, when one was last waited for.
    flush: u8,
    body: BodyKind,
    flags: Flags,
}

/// How the body at hand is framed, and whether it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyKind {
    /// None, or all of it is decoded.
    Over,
    Length,
    Chunked,
    /// Behind the last chunk.
    Trailers,
}

/// What is true of a connection, a bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Flags(u8);

impl Flags {
    /// The connection may be used again after this answer.
    const PERSISTENT: Flags = Flags(1);
    /// The peer said that this request is its last.
    const PEER_CLOSES: Flags = Flags(2);
    /// The request has no content in its answer (HEAD).
    const HEAD_ONLY: Flags = Flags(4);
    /// The request is of HTTP/1.0.
    const OLD: Flags = Flags(8);
    /// `100 Continue` was asked for and not sent yet.
    const EXPECTS: Flags = Flags(16);
    /// The application was lent a part of this request, or put it off: it must hear of a cut.
    const TOLD: Flags = Flags(32);
    /// Something was lent and nothing came of it.
    const STUCK: Flags = Flags(64);
    /// A request was answered on this connection.
    const SERVED: Flags = Flags(128);

    /// All of `flags` are set.
    #[inline(always)]
    const fn has(self, flags: Flags) -> bool {
        self.0 & flags.0 == flags.0
    }

    #[inline(always)]
    const fn with(self, flags: Flags) -> Flags {
        Flags(self.0 | flags.0)
    }

    #[inline(always)]
    const fn without(self, flags: Flags) -> Flags {
        Flags(self.0 & !flags.0)
    }

    #[inline(always)]
    const fn with_if(self, flag: Flags, yes: bool) -> Flags {
        if yes { self.with(flag) } else { self }
    }

    #[inline(always)]
    fn set(&mut self, flags: Flags) {
        *self = self.with(flags);
    }

    #[inline(always)]
    fn clear(&mut self, flags: Flags) {
        *self = self.without(flags);
    }
}

/// The one thing that has to happen next.
///
/// Complete: an embedding needs no `_ => unreachable!()`; a new step is a major version.
#[derive(Debug)]
pub enum Step<'s> {
    /// Read into this, then say `rx.filled(n)`; at the end of the stream `rx.end()`.
    Read(&'s mut [u8]),
    /// Send some of this, then say `tx.sent(n)`.
    Write(&'s [u8]),
    /// A request: head and whole body.
    Request(Exchange<'s>),
    /// A head whose body is still to be received ([`Bodies::Ask`]): gather, stream or answer. It
    /// comes for every request with a body, arrived or not, so that handlers do not differ by cut.
    Head(Fork<'s>),
    /// Decoded bytes of a streamed body.
    Chunk(Inflow<'s>),
    /// A streamed body is over: answer now, or finish the answer that was begun.
    End(Ending<'s>),
    /// A streamed answer has room again.
    Room(BodyWriter<'s>),
    /// Body or answer ended early, or a deferred exchange will not be answered (peer gone, bad
    /// chunk, deadline): drop what is kept for this request. Its end follows.
    Cut,
    /// The exchange is deferred and everything before it is sent: connection and buffers may now
    /// move to another thread, until [`Connection::resume`].
    Away,
    /// Shut down the sending side, then go on: some bytes are still read and dropped, so that the
    /// last answer survives at the peer (RFC 9112 section 9.6).
    HalfClose,
    /// Close. Nothing else ever follows.
    Close,
}

/// A request, and the means to answer it.
#[derive(Debug)]
#[must_use = "an exchange that is dropped is answered 500"]
pub struct Exchange<'s> {
    /// Request line and fields.
    pub head: Head<'s>,
    /// The whole body, decoded; empty if there is none.
    pub body: &'s [u8],
    /// The fields behind a chunked body (RFC 9112 section 7.1.2); empty if there are none.
    pub trailers: Fields<'s>,
    /// The answer to be.
    pub reply: Reply<'s>,
}

impl Connection {
    /// A connection on which nothing has happened.
    pub const fn new() -> Self {
        Connection {
            left: 0,
            owed: 0,
            decoder: ChunkDecoder::new(),
            dropped: 0,
            hold: 0,
            phase: Phase::Head,
            outbound: Outbound::Owed,
            wait: Wait::FirstByte,
            fault: None,
            requests: 0,
            flush: 0,
            body: BodyKind::Over,
            flags: Flags::PERSISTENT,
        }
    }

    /// Says the one thing that has to happen next. Never fails: a fault of the peer is answered,
    /// then the connection closes.
    ///
    /// `rx` and `tx` must be the same at every step while they hold anything; an empty pair may be
    /// exchanged for another empty pair. What comes out does not depend on how the input was cut
    /// into reads.
    // Inline, so that what is lent need not be put into memory for a caller that matches it at
    // once: 200 instructions per request where the compiler thinks otherwise.
    #[inline(always)]
    pub fn step<'s>(
        &'s mut self,
        site: &'s Site<'_>,
        rx: &'s mut RecvBuffer,
        tx: &'s mut SendBuffer,
    ) -> Step<'s> {
        let next = self.decide(site, rx, tx);
        // More than the promise would depend on what else is pending, and so on the cut.
        let promise = decide::promise(site);
        match next {
            Next::Read => Step::Read(rx.space()),
            Next::Write => Step::Write(tx.pending()),
            Next::Request => Step::Request(self.lend(site, rx, tx, promise)),
            Next::Head => Step::Head(Fork::new(head_of(rx), Reply::new(self, tx, site, promise))),
            Next::Chunk => Step::Chunk(Inflow::new(self, site, rx, tx)),
            Next::End => {
                let (head, trailers, _) = views_of(rx);
                Step::End(Ending::new(
                    head,
                    trailers,
                    Reply::new(self, tx, site, promise),
                ))
            }
            Next::Room => Step::Room(BodyWriter::new(self, tx)),
            Next::Cut => Step::Cut,
            Next::Away => Step::Away,
            Next::HalfClose => Step::HalfClose,
            Next::Close => Step::Close,
        }
    }

    /// Lends a deferred exchange again, wherever its parts are now. `None`: nothing is deferred,
    /// or it is not [`Step::Away`] yet.
    ///
    /// A deferred end of a streamed body comes back with an empty body.
    pub fn resume<'s>(
        &'s mut self,
        site: &'s Site<'_>,
        rx: &'s mut RecvBuffer,
        tx: &'s mut SendBuffer,
    ) -> Option<Exchange<'s>> {
        if self.phase != Phase::Away {
            return None;
        }
        self.phase = Phase::Serving;
        // Everything before it is sent, so the whole buffer is free.
        Some(self.lend(site, rx, tx, usize::MAX))
    }

    #[inline]
    fn lend<'s>(
        &'s mut self,
        site: &'s Site<'_>,
        rx: &'s mut RecvBuffer,
        tx: &'s mut SendBuffer,
        promise: usize,
    ) -> Exchange<'s> {
        let (head, trailers, body) = views_of(rx);
        Exchange {
            head,
            body,
            trailers,
            reply: Reply::new(self, tx, site, promise),
        }
    }

    /// Which deadline runs. Valid after a step that said [`Step::Read`], [`Step::Write`] or
    /// [`Step::Away`]; [`Deadline`] does the arithmetic.
    pub fn waiting_for(&self) -> Wait {
        self.wait
    }

    /// That deadline has passed. A request that was begun is answered 408, anything else is
    /// silence; then the connection closes.
    pub fn expire(&mut self) {
        match self.wait {
            Wait::FirstByte | Wait::Idle => self.end(Fault::IdleTimeout),
            Wait::Head | Wait::Body => self.refuse(Fault::RequestTimeout),
            Wait::Handler => self.refuse(Fault::HandlerTimeout),
            Wait::Send => self.end(Fault::SendTimeout),
            Wait::Linger => self.phase = Phase::Closed,
        }
    }

    /// The buffers are needed elsewhere: a request that was begun is answered 408, what is left
    /// unsent is dropped, and the connection closes without lingering. For a server that has given
    /// out nearly all it has; who is to give way is its choice.
    pub fn give_way(&mut self) {
        match self.wait {
            Wait::Head | Wait::Body => self.refuse(Fault::GaveWay),
            _ => self.expire(),
        }
    }

    /// The network lost the connection: nothing can be sent or received any more.
    pub fn lose(&mut self) {
        self.end(Fault::Lost);
    }

    /// One connection too many: answers 503 to a new connection, then closes.
    pub fn refuse_busy(&mut self) {
        self.refuse(Fault::Busy);
    }

    /// Why the connection closed, or is about to. `None` while all is well, and after a close in
    /// good order.
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Requests begun on this connection, wrapping at 256.
    pub fn requests(&self) -> u8 {
        self.requests
    }

    /// Which flush of the send buffer is waited for.
    pub(crate) fn flush(&self) -> u8 {
        self.flush
    }

    /// Whether a request is under way: begun and not yet answered in full.
    pub fn is_active(&self) -> bool {
        !matches!(
            self.phase,
            Phase::Head | Phase::Last | Phase::Linger | Phase::Closed
        ) || self.wait == Wait::Head
    }

    /// Whether the body at hand is streamed: the pace alone bounds it then.
    pub(crate) fn is_streaming(&self) -> bool {
        matches!(self.phase, Phase::Stream | Phase::Discard | Phase::Hold)
    }
}

impl Default for Connection {
    fn default() -> Self {
        Self::new()
    }
}

#[inline]
fn head_of(rx: &RecvBuffer) -> Head<'_> {
    let (bytes, rows) = rx.head_view();
    rx.state.head(bytes, rows)
}

#[inline]
fn views_of(rx: &RecvBuffer) -> (Head<'_>, Fields<'_>, &[u8]) {
    let head = head_of(rx);
    match head.framing() {
        Framing::None => (head, Fields::new(&[], &[]), &[]),
        _ => (head, trailers_of(rx), rx.body()),
    }
}

#[inline]
fn trailers_of(rx: &RecvBuffer) -> Fields<'_> {
    if !rx.state.is_in_trailers() {
        return Fields::new(&[], &[]);
    }
    let (bytes, rows) = rx.trailer_view(rx.state.trailer_len());
    rx.state.trailers(bytes, rows)
}

// What an idle peer costs: less than a cache line, with room for the worker's own words.
const _: () = assert!(size_of::<Connection>() <= 56);

#[cfg(test)]
mod tests;
