//! A streamed body: its pieces and its end.

use super::phase::Outbound;
use super::reply::Reply;
use super::writer::BodyWriter;
use super::{Connection, Flags, Site, head_of};
use crate::buffer::{RecvBuffer, SendBuffer};
use crate::wire::{Fields, Head};

/// Decoded bytes of a streamed body.
///
/// Take what you can use; the rest is lent again, with what has come since. If nothing is taken
/// and nothing written although the send buffer is empty, the exchange is stuck: it is answered
/// 500, or cut.
#[derive(Debug)]
pub struct Inflow<'s> {
    connection: &'s mut Connection,
    site: &'s Site<'s>,
    rx: &'s mut RecvBuffer,
    tx: &'s mut SendBuffer,
}

impl<'s> Inflow<'s> {
    pub(super) fn new(
        connection: &'s mut Connection,
        site: &'s Site<'_>,
        rx: &'s mut RecvBuffer,
        tx: &'s mut SendBuffer,
    ) -> Self {
        Inflow {
            connection,
            site,
            rx,
            tx,
        }
    }

    /// Request line and fields: they stay readable as long as the body streams.
    pub fn head(&self) -> Head<'_> {
        head_of(self.rx)
    }

    /// The bytes; at least one.
    pub fn bytes(&self) -> &[u8] {
        self.rx.body()
    }

    /// Takes the first `n` bytes (at most all).
    pub fn take(&mut self, n: usize) {
        if n > 0 {
            self.rx.take(n);
            self.connection.flags.clear(Flags::STUCK);
        }
    }

    /// The answer, in whatever state it is.
    pub fn outlet(&mut self) -> Outlet<'_> {
        match self.connection.outbound {
            Outbound::Owed => Outlet::Reply(Reply::new(
                self.connection,
                self.tx,
                self.site,
                self.site.limits.reply_bytes_max as usize,
            )),
            _ => Outlet::Writer(BodyWriter::new(self.connection, self.tx)),
        }
    }

    /// Writes the bytes to the answer that was begun, and takes as many as had room: an echo.
    /// Says how many; 0 if no answer was begun.
    pub fn echo(&mut self) -> usize {
        if self.connection.outbound == Outbound::Owed {
            return 0;
        }
        let n = BodyWriter::new(self.connection, self.tx).write(self.rx.body());
        self.take(n);
        n
    }
}

/// The answer while a body streams.
#[derive(Debug)]
pub enum Outlet<'s> {
    /// Nothing is said yet.
    Reply(Reply<'s>),
    /// The head is out; the body goes on.
    Writer(BodyWriter<'s>),
}

/// A streamed body is over: answer now, or finish the answer that was begun.
#[derive(Debug)]
#[must_use = "an ending that is dropped is answered 500, or cuts the answer"]
pub struct Ending<'s> {
    /// Request line and fields.
    pub head: Head<'s>,
    /// The fields behind a chunked body (RFC 9112 section 7.1.2); empty if there are none.
    pub trailers: Fields<'s>,
    /// The answer, in whatever state it is.
    pub outlet: Outlet<'s>,
}

impl<'s> Ending<'s> {
    pub(super) fn new(head: Head<'s>, trailers: Fields<'s>, reply: Reply<'s>) -> Self {
        Ending {
            head,
            trailers,
            outlet: reply.into_outlet(),
        }
    }
}

impl<'s> Reply<'s> {
    fn into_outlet(self) -> Outlet<'s> {
        if self.is_owed() {
            Outlet::Reply(self)
        } else {
            Outlet::Writer(self.into_writer())
        }
    }
}
