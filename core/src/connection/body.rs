//! The body at hand: gathered, held back, streamed or dropped, as it comes.

use super::decide::{Next, promise};
use super::phase::{Outbound, Phase, Wait};
use super::{BodyKind, Connection, Fault, Flags, Site};
use crate::buffer::{RecvBuffer, SendBuffer};
use crate::limits::STREAM_ROOM_BYTES_MIN;
use crate::wire::{self, ChunkStep};

/// What decoding came to.
enum Pump {
    /// More bytes from the peer are needed.
    More,
    /// As much as was wanted is in hand, and there is more to come.
    Filled,
    /// The body is over.
    Over,
}

/// RFC 9110 section 15.2.1.
pub(super) const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Bytes kept free for a size line and the end of a chunk behind the data in hand. They are read
/// byte by byte, so few are enough; trailers need what they need.
const CHUNK_FRAMING_ROOM: usize = 64;

impl Connection {
    /// Whether a body that is to be gathered is all there, and nothing of it is decoded yet:
    /// `gather` would come to the same.
    #[inline(always)]
    pub(super) fn has_all(&self, rx: &RecvBuffer) -> bool {
        self.body == BodyKind::Length
            && self.left <= u64::from(self.hold)
            && self.left <= rx.raw_len() as u64
            && rx.body().is_empty()
            && !self.flags.has(Flags::EXPECTS)
    }

    pub(super) fn gather(
        &mut self,
        site: &Site<'_>,
        rx: &mut RecvBuffer,
        tx: &mut SendBuffer,
    ) -> Option<Next> {
        // The bytes of a gathered body are no secret to keep: nothing is told if they are cut.
        self.flags.clear(Flags::TOLD);
        let want = (self.hold as usize).min(self.in_hand_max(rx));
        let missing = want.saturating_sub(rx.body().len()) as u64;
        if self.body == BodyKind::Length && self.left > missing {
            self.refuse(Fault::BodyTooLarge);
            return None;
        }
        if !self.send_continue(tx) {
            return self.write(tx);
        }
        match self.pump(want, site, rx) {
            Err(fault) => self.refuse(fault),
            Ok(Pump::Filled) => self.refuse(Fault::BodyTooLarge),
            Ok(Pump::Over) => self.phase = Phase::Serve,
            Ok(Pump::More) => return self.more(rx, tx),
        }
        None
    }

    /// As `gather`, but what does not fit begins to stream.
    pub(super) fn hold(
        &mut self,
        site: &Site<'_>,
        rx: &mut RecvBuffer,
        tx: &mut SendBuffer,
    ) -> Option<Next> {
        if !self.send_continue(tx) {
            return self.write(tx);
        }
        let want = (self.hold as usize).min(self.in_hand_max(rx));
        match self.pump(want, site, rx) {
            Err(fault) => self.refuse(fault),
            Ok(Pump::Filled | Pump::Over) => self.phase = Phase::Stream,
            Ok(Pump::More) => return self.more(rx, tx),
        }
        None
    }

    pub(super) fn stream(
        &mut self,
        site: &Site<'_>,
        rx: &mut RecvBuffer,
        tx: &mut SendBuffer,
    ) -> Option<Next> {
        if !self.send_continue(tx) {
            return self.write(tx);
        }
        if !rx.body().is_empty() {
            return self.lend_chunk(site, tx);
        }
        if let Some(fault) = self.fault {
            // It lay behind bytes that were good and are taken now.
            self.refuse(fault);
            return None;
        }
        let want = self.in_hand_max(rx);
        match self.pump(want, site, rx) {
            Err(fault) if rx.body().is_empty() => self.refuse(fault),
            Err(fault) => self.fault = Some(fault),
            Ok(_) if !rx.body().is_empty() => {}
            Ok(Pump::Over) => self.phase = Phase::End,
            Ok(Pump::More | Pump::Filled) => return self.more(rx, tx),
        }
        None
    }

    fn lend_chunk(&mut self, site: &Site<'_>, tx: &SendBuffer) -> Option<Next> {
        let room = match self.outbound {
            Outbound::Owed => promise(site),
            _ => STREAM_ROOM_BYTES_MIN,
        };
        self.lend_in_turn(room, tx, Next::Chunk)
    }

    /// The answer is over and the body is not: it is read and dropped, if that is worth it.
    pub(super) fn discard(
        &mut self,
        site: &Site<'_>,
        rx: &mut RecvBuffer,
        tx: &SendBuffer,
    ) -> Option<Next> {
        rx.take(rx.body().len());
        if self.fault.is_some()
            || (self.body != BodyKind::Over && !self.flags.has(Flags::PERSISTENT))
        {
            // A fault that lay behind good bytes stays one, though nobody wants them any more.
            self.give_up(self.fault);
            return None;
        }
        let outcome = self.pump(usize::MAX, site, rx);
        self.dropped = self.dropped.saturating_add(rx.body().len() as u32);
        rx.take(rx.body().len());
        match outcome {
            _ if self.dropped > site.limits.drain_bytes_max => self.give_up(None),
            Ok(Pump::Over) => self.phase = Phase::Answered,
            Ok(Pump::More | Pump::Filled) if !tx.is_empty() => return self.write(tx),
            Ok(Pump::More | Pump::Filled) if rx.has_ended() => {
                self.give_up(Some(Fault::Truncated));
            }
            Ok(Pump::More | Pump::Filled) => return self.more(rx, tx),
            Err(fault) => self.give_up(Some(fault)),
        }
        None
    }

    /// The answer is out, but where the next request begins will not be known.
    fn give_up(&mut self, fault: Option<Fault>) {
        self.fault = fault;
        self.flags.clear(Flags::PERSISTENT);
        self.phase = Phase::Last;
    }

    /// More of the body has to come from the peer.
    fn more(&mut self, rx: &mut RecvBuffer, tx: &SendBuffer) -> Option<Next> {
        if !tx.is_empty() {
            return self.write(tx);
        }
        if rx.has_ended() {
            self.refuse(Fault::Truncated);
        } else if !rx.make_space() {
            let fault = match self.body {
                BodyKind::Trailers => wire::Fault::TrailerTooLarge.into(),
                _ => Fault::BodyTooLarge,
            };
            self.refuse(fault);
        } else {
            self.wait = Wait::Body;
            return Some(Next::Read);
        }
        None
    }

    /// Decodes what is there until `want` bytes are in hand.
    fn pump(&mut self, want: usize, site: &Site<'_>, rx: &mut RecvBuffer) -> Result<Pump, Fault> {
        loop {
            let wanted = want.saturating_sub(rx.body().len());
            match self.body {
                BodyKind::Over => return Ok(Pump::Over),
                BodyKind::Length => {
                    let n = wanted.min(rx.raw_len()).min(usize_of(self.left));
                    rx.decode(n);
                    self.left = self.left.saturating_sub(n as u64);
                    if self.left == 0 {
                        self.body = BodyKind::Over;
                    } else if n == wanted {
                        return Ok(Pump::Filled);
                    } else {
                        return Ok(Pump::More);
                    }
                }
                BodyKind::Chunked => {
                    let (framing, step) = self.decoder.advance(rx.unread())?;
                    rx.skip(framing);
                    match step {
                        ChunkStep::More => return Ok(Pump::More),
                        ChunkStep::Last => self.body = BodyKind::Trailers,
                        ChunkStep::Data(size) => {
                            if size > self.left {
                                return Err(Fault::BodyTooLarge);
                            }
                            if wanted == 0 {
                                return Ok(Pump::Filled);
                            }
                            let n = wanted.min(rx.raw_len()).min(usize_of(size));
                            if n == 0 {
                                return Ok(Pump::More);
                            }
                            rx.decode(n);
                            self.decoder.took(n as u64);
                            self.left = self.left.saturating_sub(n as u64);
                        }
                    }
                }
                BodyKind::Trailers => {
                    let parts = rx.trailer_parts();
                    match parts
                        .state
                        .advance_trailers(parts.bytes(), parts.rows, site.limits)?
                    {
                        Some(_) => self.body = BodyKind::Over,
                        None => return Ok(Pump::More),
                    }
                }
            }
        }
    }

    /// Body bytes that can be in hand at most: the buffer less the head and, for a chunked body,
    /// a little for its framing.
    fn in_hand_max(&self, rx: &RecvBuffer) -> usize {
        let framing = if self.body == BodyKind::Length {
            0
        } else {
            CHUNK_FRAMING_ROOM
        };
        // At least one: with none in hand a stream could not go on.
        rx.capacity()
            .saturating_sub(rx.head_len())
            .saturating_sub(framing)
            .max(1)
    }

    /// Sends the interim response that was asked for, also if the body is there already: what
    /// comes out must not depend on the cut. False: there is no room yet.
    fn send_continue(&mut self, tx: &mut SendBuffer) -> bool {
        if self.flags.has(Flags::EXPECTS) && self.outbound == Outbound::Owed {
            if !tx.append(CONTINUE) && !tx.is_empty() {
                return false;
            }
            self.flags.clear(Flags::EXPECTS);
        }
        true
    }
}

fn usize_of(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
