//! A request whose body is still to come: what is to become of it?

use super::phase::Phase;
use super::reply::{Done, Reply};
use super::reply_head::ReplyHead;
use crate::wire::{Head, Status};

/// The choice at a head with a body ([`Bodies::Ask`](super::Bodies::Ask)).
#[derive(Debug)]
#[must_use = "a fork that is dropped is answered 500"]
pub struct Fork<'s> {
    /// Request line and fields.
    pub head: Head<'s>,
    reply: Reply<'s>,
}

impl<'s> Fork<'s> {
    pub(super) fn new(head: Head<'s>, reply: Reply<'s>) -> Self {
        Fork { head, reply }
    }

    /// Gathers the body, up to `max` bytes and as far as the buffer goes; then the whole request
    /// comes as [`Step::Request`](super::Step::Request). A larger body is answered 413, at once if
    /// its length is known.
    pub fn gather(self, max: usize) -> Done {
        self.reply.go(Phase::Gather, max)
    }

    /// Streams the body, in pieces as they come. The answer may begin at any piece or at the end.
    pub fn stream(self) -> Done {
        self.reply.go(Phase::Stream, 0)
    }

    /// Streams the body, but holds the first piece back until it has `hold` bytes (bounded by the
    /// buffer) or is all there is. A body that is malformed within these bytes is then answered
    /// 400 before the handler saw any of it.
    pub fn stream_after(self, hold: usize) -> Done {
        self.reply.go(Phase::Hold, hold)
    }

    /// Answers first, while the body still comes: go on with [`ReplyHead::stream`]. Asks the peer
    /// for the body if it waits to be asked.
    pub fn answer(self) -> Reply<'s> {
        self.reply.invite()
    }

    /// Answers now, without the body: it is read and dropped if it is small, else the connection
    /// closes after the answer.
    pub fn refuse(self, status: Status) -> ReplyHead<'s> {
        self.reply.status(status)
    }
}

impl<'s> Reply<'s> {
    fn go(self, phase: Phase, hold: usize) -> Done {
        let connection = self.into_connection();
        connection.hold = u32::try_from(hold).unwrap_or(u32::MAX);
        connection.phase = phase;
        Done::new()
    }
}
