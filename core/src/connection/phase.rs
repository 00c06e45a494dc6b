//! The phases of a connection, and every edge between them.
//!
//! ```text
//!            ┌────────────────────────── next request ◄──────────────┐
//!            ▼                                                        │
//!   ─────► Head ──no body──────────────────────► Serve ─► Serving ─► Answered ─► Last
//!            │                                     ▲         │ ▲        ▲
//!            │ body, Bodies::Gather                │         ▼ │resume  │
//!            ├───────────────────────► Gather ─────┘   Deferred,Away    │
//!            │ body, Bodies::Ask          ▲                             │
//!            └─► Choose ─► Choosing ──────┤gather                       │
//!                             │ │         │stream                       │
//!                      answer │ │         ▼                             │
//!                             │ └──────► Hold ─► Stream ─► End ─► Ending┤
//!                             ▼                    ▲         │          │
//!                          Discard ◄──answer over──┘         └─► Body ──┤
//!                             └─────────────────────────────────────────┘
//!   any ──fault──► Refuse ─► Last ─► Linger ─► Closed        any ──lost──► Closed
//! ```
//!
//! | phase    | leaves to            | when                                                      |
//! |----------|----------------------|-----------------------------------------------------------|
//! | Head     | Serve                | head complete, no body                                    |
//! | Head     | Gather, Choose       | head complete, body follows                               |
//! | Head     | Last                 | end of stream or draining, and nothing begun              |
//! | Choose   | Choosing             | there is room: the fork is lent                           |
//! | Choosing | Gather, Hold, Stream | the fork says so                                          |
//! | Choosing | Discard              | the fork was answered, and the body is still to come      |
//! | Gather   | Serve                | the body is complete                                      |
//! | Hold     | Stream               | enough bytes are in hand, or the body is complete         |
//! | Stream   | End                  | all bytes are taken and the body is complete              |
//! | Stream   | Discard, Answered    | the answer is over; the body is not, or is too            |
//! | Serve    | Serving              | there is room: the exchange is lent                       |
//! | Serving  | Answered, Body       | answered; a streamed answer goes on                       |
//! | Serving  | Discard              | answered while resumed, and the body is still to come     |
//! | Choosing | Deferred             | the handler wants time; nothing of the answer is out yet  |
//! | Stream   | Deferred             | as Choosing                                               |
//! | Serving  | Deferred             | as Choosing                                               |
//! | Ending   | Deferred             | as Choosing                                               |
//! | Deferred | Away                 | everything before it is sent                              |
//! | Away     | Serving              | resume                                                    |
//! | End      | Ending               | there is room: the ending is lent                         |
//! | Ending   | Answered, Body       | as Serving                                                |
//! | Body     | Answered, Discard    | the streamed answer is over; the body is too, or is not   |
//! | Discard  | Answered, Last       | the unwanted body is over, or larger than it is worth     |
//! | Answered | Head, Last           | persistent or not                                         |
//! | Refuse   | Last                 | the fault is answered, if it can be                       |
//! | Last     | Linger, Closed       | everything is sent; the peer may still be sending or not  |
//! | Linger   | Closed               | end of stream, enough dropped, or the deadline            |
//!
//! Any phase leads to Refuse by a fault, to Closed when the peer is lost. A test reads the other
//! rows: random exchanges have to take each of their edges, and no other (`tests/passed.rs`).
//!
//! A lent phase (Choosing, Serving, Ending) that is still there at the next step was dropped
//! without an answer: 500.

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Head,
    Choose,
    Choosing,
    Gather,
    Hold,
    Stream,
    Serve,
    Serving,
    Deferred,
    Away,
    End,
    Ending,
    Body,
    Discard,
    Answered,
    Refuse,
    Last,
    Linger,
    Closed,
}

/// How the answer is framed, and whether it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outbound {
    /// No status line yet.
    Owed,
    /// So many bytes as the connection's `owed` says are still to come.
    Length,
    /// Chunks.
    Chunked,
    /// Up to the close (RFC 9112 section 6.3, the last case: for HTTP/1.0).
    UntilClose,
    /// An answer without content: what is written goes nowhere.
    Silent,
    /// All of it is in the send buffer.
    Complete,
}

/// What a connection waits for: which deadline runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wait {
    /// The first byte on a new connection.
    FirstByte,
    /// The rest of a head.
    Head,
    /// More of a body.
    Body,
    /// The answer to a deferred exchange.
    Handler,
    /// The peer, to take its answers.
    Send,
    /// The next request.
    Idle,
    /// The peer's end of stream, after ours.
    Linger,
}
