//! The answer, as a chain of types: each can only do what is due, and none can be forgotten.
//!
//! `Reply` (nothing said) → `ReplyHead` (status said, fields follow) → `Done` (answered), or a
//! `BodyWriter` for an answer in parts. A handler that returns `Done` has answered exactly once.
//!
//! Until an answer is complete it is a draft behind the bytes that wait to be sent: dropping it
//! leaves nothing behind.

use core::fmt;

use super::body::CONTINUE;
use super::phase::{Outbound, Phase};
use super::reply_head::ReplyHead;
use super::writer::BodyWriter;
use super::{BodyKind, Connection, Flags, Site};
use crate::buffer::SendBuffer;
use crate::wire::Status;

/// Proof that an exchange was answered, deferred, or otherwise decided. Cannot be made by hand.
#[derive(Debug)]
#[must_use = "return it: it proves that the exchange was answered"]
pub struct Done(());

impl Done {
    pub(super) const fn new() -> Done {
        Done(())
    }
}

/// An answer that is larger than what was promised
/// ([`reply_bytes_max`](crate::limits::Limits::reply_bytes_max)). Nothing of it was written; the
/// reply comes back, for a smaller or a streamed answer.
#[derive(Debug)]
pub struct Full<'s>(pub Reply<'s>);

/// The answer to be: nothing is said yet.
#[must_use = "a reply that is dropped is answered 500"]
pub struct Reply<'s> {
    pub(super) connection: &'s mut Connection,
    pub(super) site: &'s Site<'s>,
    pub(super) tx: &'s mut SendBuffer,
    /// Bytes that the answer may have.
    pub(super) limit: usize,
}

impl<'s> Reply<'s> {
    #[inline(always)]
    pub(super) fn new(
        connection: &'s mut Connection,
        tx: &'s mut SendBuffer,
        site: &'s Site<'_>,
        limit: usize,
    ) -> Self {
        Reply {
            connection,
            site,
            tx,
            limit,
        }
    }

    /// Begins the answer. The status line and `Date` are written now.
    ///
    /// An informational status (1xx) answers nothing: 500 stands in its place.
    #[inline]
    pub fn status(self, status: Status) -> ReplyHead<'s> {
        ReplyHead::new(self, status)
    }

    /// Puts the exchange off: after [`Step::Away`](super::Step::Away) it can be resumed, here or
    /// on another thread. Until then nothing more is read from this connection. If it ends before
    /// it is answered, [`Step::Cut`](super::Step::Cut) tells.
    pub fn defer(self) -> Done {
        self.connection.phase = Phase::Deferred;
        self.connection.flags.set(Flags::TOLD);
        Done(())
    }

    /// Answers with a status and an empty body: always fits.
    // Inline, for a call with the reply would want all of it in memory, also where nothing is bare.
    #[inline(always)]
    pub fn bare(self, status: Status) -> Done {
        let Reply {
            connection,
            site,
            tx,
            limit,
        } = self;
        bare(connection, site, tx, limit, status)
    }

    /// The handler answers first and wants the body too: the peer has to be told to send it.
    pub(super) fn invite(self) -> Self {
        if self.connection.flags.has(Flags::EXPECTS) {
            // There is room: the fork was lent with it.
            let _ = self.tx.append(CONTINUE);
            self.connection.flags.clear(Flags::EXPECTS);
        }
        self
    }

    pub(super) fn is_owed(&self) -> bool {
        self.connection.outbound == Outbound::Owed
    }

    pub(super) fn into_connection(self) -> &'s mut Connection {
        self.connection
    }

    pub(super) fn into_writer(self) -> BodyWriter<'s> {
        // The promise bounds answers in one piece; this one was begun and goes on.
        BodyWriter::new(self.connection, self.tx)
    }
}

impl fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("limit", &self.limit).finish()
    }
}

/// A status and an empty body, which mostly answers what is rare.
#[inline(never)]
fn bare(
    connection: &mut Connection,
    site: &Site<'_>,
    tx: &mut SendBuffer,
    limit: usize,
    status: Status,
) -> Done {
    let reply = Reply::new(connection, tx, site, limit);
    if reply.status(status).body(b"").is_err() {
        // A send buffer that cannot take a bare answer can take none: the exchange counts as
        // dropped, and the connection ends.
    }
    Done(())
}

impl Connection {
    /// Whether an answer with content needs no field that tells of the connection, and nothing of
    /// the request is left behind it.
    #[inline(always)]
    pub(super) fn is_plain(&self, site: &Site<'_>) -> bool {
        let telling = Flags::PERSISTENT.with(Flags::OLD).with(Flags::HEAD_ONLY);
        self.flags.0 & telling.0 == Flags::PERSISTENT.0
            && self.body == BodyKind::Over
            && !site.draining
    }

    /// As [`answered`](Self::answered), of an answer that was [plain](Self::is_plain).
    #[inline(always)]
    pub(super) fn answered_plainly(&mut self) {
        self.outbound = Outbound::Complete;
        self.flags.clear(Flags::TOLD);
        self.phase = Phase::Answered;
    }

    /// The answer is complete in the send buffer.
    #[inline(always)]
    pub(super) fn answered(&mut self) {
        self.outbound = Outbound::Complete;
        self.flags.clear(Flags::TOLD);
        self.phase = match self.body {
            BodyKind::Over => Phase::Answered,
            _ => Phase::Discard,
        };
    }
}
