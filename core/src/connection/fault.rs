//! Why a connection ends other than in good order.

use crate::wire::{self, Status};

/// Why a connection closed: for logs and counters. Most faults are answered before the close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The peer's bytes break a rule.
    Wire(wire::Fault),
    /// The peer stopped sending inside a request.
    Truncated,
    /// The body is larger than the limit, or than what was to be gathered.
    BodyTooLarge,
    /// A request that was begun did not come in time, or its body fell below the least pace.
    RequestTimeout,
    /// A request that was begun came too slowly for a server that ran out of slots.
    GaveWay,
    /// Nothing was begun in time, on a new connection or between requests. Not answered.
    IdleTimeout,
    /// The peer did not take its answers in time. Not answered.
    SendTimeout,
    /// A deferred exchange was not answered in time.
    HandlerTimeout,
    /// The handler dropped an exchange without an answer.
    NotAnswered,
    /// A streamed answer ended before the length that was promised. The peer sees it cut.
    AnswerShort,
    /// Too many connections.
    Busy,
    /// The embedding reported more bytes than there were, sent or received.
    Misuse,
    /// The network lost the connection. Not answered.
    Lost,
}

impl Fault {
    /// What the peer is answered, if it is.
    pub const fn status(self) -> Option<Status> {
        match self {
            Fault::Wire(fault) => Some(fault.status()),
            Fault::Truncated => Some(Status::BAD_REQUEST),
            Fault::BodyTooLarge => Some(Status::CONTENT_TOO_LARGE),
            Fault::RequestTimeout | Fault::GaveWay => Some(Status::REQUEST_TIMEOUT),
            Fault::NotAnswered | Fault::Misuse => Some(Status::INTERNAL_SERVER_ERROR),
            Fault::HandlerTimeout | Fault::Busy => Some(Status::SERVICE_UNAVAILABLE),
            Fault::IdleTimeout | Fault::SendTimeout | Fault::AnswerShort | Fault::Lost => None,
        }
    }

    /// What happened, in a few words for a person.
    pub const fn reason(self) -> &'static str {
        match self {
            Fault::Wire(fault) => fault.reason(),
            Fault::Truncated => "the request ends before it is complete",
            Fault::BodyTooLarge => "the body is too large",
            Fault::RequestTimeout => "the request did not arrive in time",
            Fault::GaveWay => "the request came too slowly for a busy server",
            Fault::IdleTimeout => "no request in time",
            Fault::SendTimeout => "the answer was not taken in time",
            Fault::HandlerTimeout => "no answer was found in time",
            Fault::NotAnswered => "the handler did not answer",
            Fault::AnswerShort => "the answer ended early",
            Fault::Busy => "too many connections",
            Fault::Misuse => "the embedding misreported its bytes",
            Fault::Lost => "the connection was lost",
        }
    }
}

impl From<wire::Fault> for Fault {
    fn from(fault: wire::Fault) -> Self {
        Fault::Wire(fault)
    }
}
