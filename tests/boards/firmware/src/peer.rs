//! One HTTP connection where there is neither a heap nor an operating system: what an embedding
//! owes the core, on top of any socket that does not block. To be copied.
//!
//! A [`Peer`] holds all of a connection, its bytes too, and is polled: whenever something may have
//! happened, and now and then for its deadlines.

use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::connection::{Check, Connection, Deadline, Done, Exchange, Site, Step};

/// A socket that does not block.
pub(crate) trait Socket {
    /// Takes bytes that have come: how many, or 0 at their end. `None`: there are none yet.
    fn recv(&mut self, space: &mut [u8]) -> Option<usize>;
    /// Takes some of `bytes`, perhaps none, to be sent.
    fn send(&mut self, bytes: &[u8]) -> usize;
    /// No more will be sent.
    fn finish(&mut self);
    /// The other side is gone: nothing can be sent or received any more.
    fn is_lost(&self) -> bool;
}

/// Steps of one connection in one poll at most. A request takes three or four; after so many it is
/// the turn of the others.
const STEPS_MAX: u32 = 64;

/// A connection with `RX` bytes for what comes and `TX` for what goes.
pub(crate) struct Peer<const RX: usize, const TX: usize> {
    connection: Connection,
    deadline: Deadline,
    rx: RecvBuffer<[u8; RX]>,
    tx: SendBuffer<[u8; TX]>,
}

impl<const RX: usize, const TX: usize> Peer<RX, TX> {
    /// Bytes of it besides those for what comes and goes.
    pub(crate) const BYTES: usize = size_of::<Self>() - RX - TX;

    pub(crate) const fn new() -> Self {
        Peer {
            connection: Connection::new(),
            deadline: Deadline::new(),
            rx: RecvBuffer::new(),
            tx: SendBuffer::new(),
        }
    }

    /// For the next connection.
    pub(crate) fn reset(&mut self) {
        self.connection = Connection::new();
        self.deadline = Deadline::new();
        self.rx.reset();
        self.tx.reset();
    }

    /// Does all that can be done without waiting. `false`: close the socket, this was all.
    ///
    /// `now_ms` only rises, and may wrap. Requests come with their whole body, as the site should
    /// say `Bodies::Gather`.
    #[inline(never)]
    pub(crate) fn poll(
        &mut self,
        socket: &mut impl Socket,
        site: &Site<'_>,
        now_ms: u32,
        answer: &mut impl FnMut(Exchange<'_>) -> Done,
    ) -> bool {
        if socket.is_lost() {
            self.connection.lose();
        }
        for _ in 0..STEPS_MAX {
            match self.connection.step(site, &mut self.rx, &mut self.tx) {
                Step::Read(space) => match socket.recv(space) {
                    Some(0) => self.rx.end(),
                    Some(n) => self.rx.filled(n),
                    None if self.is_late(site, now_ms) => self.connection.expire(),
                    None => return true,
                },
                Step::Write(bytes) => match socket.send(bytes) {
                    0 if self.is_late(site, now_ms) => self.connection.expire(),
                    0 => return true,
                    n => self.tx.sent(n),
                },
                Step::Request(exchange) => {
                    let _ = answer(exchange);
                }
                Step::HalfClose => socket.finish(),
                Step::Close => return false,
                // Handlers here put nothing off; a program whose handlers do resumes the exchange.
                Step::Away => self.connection.lose(),
                // Bodies are gathered, answers written in one piece. What is dropped is answered
                // 500.
                Step::Head(_) | Step::Chunk(_) | Step::End(_) | Step::Room(_) | Step::Cut => {}
            }
        }
        true
    }

    /// Whether the deadline that runs has passed.
    fn is_late(&mut self, site: &Site<'_>, now_ms: u32) -> bool {
        self.deadline
            .watch(&self.connection, &self.rx, site.limits, now_ms);
        self.deadline.check(now_ms) == Check::Passed
    }
}
