//! The machine: what has to happen next. Decides with short borrows; `step` lends afterwards.

use core::hint::cold_path;

use super::body::CONTINUE;
use super::phase::{Outbound, Phase, Wait};
use super::{Bodies, BodyKind, Connection, Fault, Flags, Refusal, Reply, Site};
use crate::buffer::{RecvBuffer, SectionParts, SendBuffer};
use crate::limits::{FAULT_REPLY_BYTES, STREAM_ROOM_BYTES_MIN};
use crate::wire::{ChunkDecoder, Framing, HeadState, Method, Version};

/// A step without what it lends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Read,
    Write,
    Request,
    Head,
    Chunk,
    End,
    Room,
    Cut,
    Away,
    HalfClose,
    Close,
}

impl Connection {
    /// The usual way first, without a loop and a table of jumps: the last request is answered, and
    /// the next head is there and has no body, or nothing is there.
    // Inline, as `step` is: called from two places it costs 90 instructions more a request.
    #[inline(always)]
    pub(super) fn decide(
        &mut self,
        site: &Site<'_>,
        rx: &mut RecvBuffer,
        tx: &mut SendBuffer,
    ) -> Next {
        if rx.misused() | tx.misused() {
            cold_path();
            self.misused();
        }
        if !crate::VECTORS {
            return self.decide_other(site, rx, tx);
        }
        if self.phase == Phase::Answered && !self.next_request(rx) {
            cold_path();
            return self.decide_last(site, rx, tx);
        }
        if self.phase == Phase::Head
            && let Some(next) = self.head(site, rx, tx)
        {
            return next;
        }
        if self.phase == Phase::Gather && self.has_all(rx) {
            rx.decode_all(self.left as u16);
            self.left = 0;
            self.body = BodyKind::Over;
            self.flags.clear(Flags::TOLD);
            self.phase = Phase::Serve;
        }
        if self.phase == Phase::Serve {
            return self.serve(site, tx);
        }
        if self.phase == Phase::Choose
            && let Some(next) = self.choose(site, tx)
        {
            return next;
        }
        self.decide_other(site, rx, tx)
    }

    /// There is no next request.
    #[inline(never)]
    fn decide_last(&mut self, site: &Site<'_>, rx: &mut RecvBuffer, tx: &mut SendBuffer) -> Next {
        self.phase = Phase::Last;
        self.decide_other(site, rx, tx)
    }

    #[cold]
    fn misused(&mut self) {
        if self.fault.is_none() {
            self.refuse(Fault::Misuse);
        }
    }

    /// From whatever phase it is in.
    #[inline(never)]
    fn decide_other(&mut self, site: &Site<'_>, rx: &mut RecvBuffer, tx: &mut SendBuffer) -> Next {
        loop {
            let next = match self.phase {
                Phase::Head => self.head(site, rx, tx),
                Phase::Choose => self.choose(site, tx),
                Phase::Gather => self.gather(site, rx, tx),
                Phase::Hold => self.hold(site, rx, tx),
                Phase::Stream => self.stream(site, rx, tx),
                Phase::Serve => Some(self.serve(site, tx)),
                Phase::End => self.lend_with_room(promise(site), tx, Phase::Ending, Next::End),
                Phase::Choosing | Phase::Serving | Phase::Ending => {
                    self.refuse(Fault::NotAnswered);
                    None
                }
                Phase::Body => self.lend_in_turn(STREAM_ROOM_BYTES_MIN, tx, Next::Room),
                Phase::Deferred if !tx.is_empty() => self.write(tx),
                Phase::Deferred | Phase::Away => {
                    self.phase = Phase::Away;
                    self.wait = Wait::Handler;
                    Some(Next::Away)
                }
                Phase::Discard => self.discard(site, rx, tx),
                Phase::Answered => {
                    if !self.next_request(rx) {
                        self.phase = Phase::Last;
                    }
                    None
                }
                Phase::Refuse => self.answer_fault(site, rx, tx),
                Phase::Last => self.last(rx, tx),
                Phase::Linger => self.linger(site, rx),
                Phase::Closed if self.flags.has(Flags::TOLD) => {
                    self.flags.clear(Flags::TOLD);
                    Some(Next::Cut)
                }
                Phase::Closed => Some(Next::Close),
            };
            if let Some(next) = next {
                return next;
            }
        }
    }

    /// A fault of the peer (or of the handler): answered if it can be, then the connection ends.
    pub(super) fn refuse(&mut self, fault: Fault) {
        if matches!(self.phase, Phase::Last | Phase::Linger | Phase::Closed) {
            // The last answer is on its way; a second fault does not replace it.
            return;
        }
        self.fault = Some(fault);
        self.flags.clear(Flags::PERSISTENT);
        self.phase = Phase::Refuse;
    }

    /// The end, at once and without a word.
    pub(super) fn end(&mut self, fault: Fault) {
        self.fault = self.fault.or(Some(fault));
        self.flags.clear(Flags::PERSISTENT);
        self.phase = Phase::Closed;
    }

    pub(super) fn write(&mut self, tx: &SendBuffer) -> Option<Next> {
        self.wait = Wait::Send;
        self.flush = tx.flushes();
        Some(Next::Write)
    }

    /// What was asked is answered: on to what is behind it. False: nothing is, this was the last.
    #[inline(always)]
    fn next_request(&mut self, rx: &mut RecvBuffer) -> bool {
        if rx.state.is_in_trailers() {
            cold_path();
            rx.skip(rx.state.trailer_len());
        }
        rx.next_request();
        self.outbound = Outbound::Owed;
        self.flags.set(Flags::SERVED);
        self.flags.clear(Flags::TOLD.with(Flags::HEAD_ONLY));
        self.phase = Phase::Head;
        self.flags.has(Flags::PERSISTENT)
    }

    #[inline(always)]
    fn head(&mut self, site: &Site<'_>, rx: &mut RecvBuffer, tx: &SendBuffer) -> Option<Next> {
        // Between requests, where every connection comes by, there is none.
        if !rx.has_begun() {
            return self.no_head(false, site, rx, tx);
        }
        if !crate::VECTORS {
            return self.head_slowly(site, rx, tx);
        }
        let outcome = match rx.usual_head_parts() {
            Some(SectionParts {
                room,
                len,
                state,
                rows,
            }) => state.advance_fast(room, len, rows, site.limits),
            None => None,
        };
        match outcome {
            Some(Ok(Some(len))) => {
                rx.head_is(len);
                self.begin(site, rx);
                None
            }
            Some(Err(fault)) => {
                cold_path();
                self.refuse(fault.into());
                None
            }
            _ => {
                cold_path();
                self.head_slowly(site, rx, tx)
            }
        }
    }

    /// Behind where the fast way stopped.
    #[inline(never)]
    fn head_slowly(
        &mut self,
        site: &Site<'_>,
        rx: &mut RecvBuffer,
        tx: &SendBuffer,
    ) -> Option<Next> {
        // (The first byte is one of this request, as that has begun.)
        let parts = rx.head_parts();
        let empty_line = parts.room.first() == Some(&b'\r') && parts.state.is_fresh();
        if empty_line {
            rx.skip_empty_lines();
            if !rx.has_begun() {
                return self.no_head(false, site, rx, tx);
            }
        }
        let SectionParts {
            room,
            len,
            state,
            rows,
        } = rx.head_parts();
        let outcome = match empty_line {
            true => state.advance_within(room, len, rows, site.limits),
            false => state.advance_slowly(room, len, rows, site.limits),
        };
        match outcome {
            Ok(Some(len)) => {
                rx.head_is(len);
                self.begin(site, rx);
                None
            }
            Ok(None) => {
                let parts = rx.head_parts();
                let begun = parts.state.has_begun(parts.bytes());
                self.no_head(begun, site, rx, tx)
            }
            Err(fault) => {
                self.refuse(fault.into());
                None
            }
        }
    }

    /// The head is not complete; `begun` says whether any of it is there.
    #[inline(always)]
    fn no_head(
        &mut self,
        begun: bool,
        site: &Site<'_>,
        rx: &mut RecvBuffer,
        tx: &SendBuffer,
    ) -> Option<Next> {
        if !tx.is_empty() {
            return self.write(tx);
        }
        if !begun && (rx.has_ended() || site.draining) {
            cold_path();
            self.phase = Phase::Closed;
        } else if rx.has_ended() {
            cold_path();
            self.refuse(Fault::Truncated);
        } else if !rx.make_space() {
            cold_path();
            self.refuse(rx.state.overflow().into());
        } else {
            self.wait = match (begun, self.flags.has(Flags::SERVED)) {
                (true, _) => Wait::Head,
                (false, true) => Wait::Idle,
                (false, false) => Wait::FirstByte,
            };
            return Some(Next::Read);
        }
        None
    }

    /// The head is complete.
    #[inline(always)]
    fn begin(&mut self, site: &Site<'_>, rx: &RecvBuffer) {
        let state = &rx.state;
        self.requests = self.requests.wrapping_add(1);
        // What stays; the others are said anew.
        let kept = Flags(self.flags.0 & Flags::SERVED.with(Flags::TOLD).0);
        self.flags = match state.is_unusual() | site.draining {
            true => {
                cold_path();
                flags_of(state, site, kept)
            }
            false => kept.with(Flags::PERSISTENT),
        };
        let framing = state.framing();
        if framing != Framing::None {
            let expects = state.expects_continue();
            self.flags = self.flags.with_if(Flags::EXPECTS, expects);
            self.dropped = 0;
        }
        match framing {
            Framing::None => {
                // (And the last body is over, or there would be no next head.)
                self.phase = Phase::Serve;
                return;
            }
            Framing::Length(length) => {
                self.body = BodyKind::Length;
                self.left = length;
            }
            Framing::Chunked => {
                self.body = BodyKind::Chunked;
                self.left = site.limits.body_bytes_max;
                self.decoder = ChunkDecoder::new();
            }
        }
        if self.left > site.limits.body_bytes_max {
            cold_path();
            self.refuse(Fault::BodyTooLarge);
            return;
        }
        match site.bodies {
            Bodies::Gather(max) => {
                self.hold = u32::try_from(max).unwrap_or(u32::MAX);
                self.phase = Phase::Gather;
            }
            Bodies::Ask => self.phase = Phase::Choose,
        }
    }

    /// Lends the whole request, once the promised room is there.
    #[inline(always)]
    fn serve(&mut self, site: &Site<'_>, tx: &SendBuffer) -> Next {
        if !tx.has_room(promise(site)) {
            cold_path();
            self.wait = Wait::Send;
            self.flush = tx.flushes();
            return Next::Write;
        }
        self.phase = Phase::Serving;
        Next::Request
    }

    /// Lends the head of a request with a body.
    #[inline(always)]
    fn choose(&mut self, site: &Site<'_>, tx: &SendBuffer) -> Option<Next> {
        let promise = promise(site).saturating_add(CONTINUE.len());
        self.lend_with_room(promise, tx, Phase::Choosing, Next::Head)
    }

    /// Lends something that may answer, once the promised room is there.
    fn lend_with_room(
        &mut self,
        room: usize,
        tx: &SendBuffer,
        lent: Phase,
        next: Next,
    ) -> Option<Next> {
        if !tx.has_room(room) {
            return self.write(tx);
        }
        self.phase = lent;
        self.flags = self.flags.with_if(Flags::TOLD, lent == Phase::Choosing);
        Some(next)
    }

    /// Lends a piece of a stream again and again, as long as something comes of it.
    pub(super) fn lend_in_turn(
        &mut self,
        room: usize,
        tx: &SendBuffer,
        next: Next,
    ) -> Option<Next> {
        if !tx.has_room(room) || (self.flags.has(Flags::STUCK) && !tx.is_empty()) {
            self.flags.clear(Flags::STUCK);
            return self.write(tx);
        }
        if self.flags.has(Flags::STUCK) {
            // Lent with all the room there is, and nothing was taken or written.
            self.refuse(Fault::NotAnswered);
            return None;
        }
        self.flags.set(Flags::STUCK);
        Some(next)
    }

    fn answer_fault(
        &mut self,
        site: &Site<'_>,
        rx: &mut RecvBuffer,
        tx: &mut SendBuffer,
    ) -> Option<Next> {
        if self.flags.has(Flags::TOLD) {
            self.flags.clear(Flags::TOLD);
            return Some(Next::Cut);
        }
        if self.outbound == Outbound::Owed {
            if !tx.has_room(FAULT_REPLY_BYTES) {
                return self.write(tx);
            }
            // Also where the head was faulty or not complete, and nobody looked at its method.
            let head_only = rx.head_parts().bytes().starts_with(b"HEAD ");
            self.flags = self.flags.with_if(Flags::HEAD_ONLY, head_only);
            if let Some(refusal) = self.fault.and_then(|fault| Refusal::of(fault, rx)) {
                Reply::new(self, tx, site, FAULT_REPLY_BYTES).refuse(&refusal);
            }
        }
        self.phase = Phase::Last;
        None
    }

    fn last(&mut self, rx: &RecvBuffer, tx: &SendBuffer) -> Option<Next> {
        if !tx.is_empty() {
            return self.write(tx);
        }
        // Closing while the peer still sends makes its system drop our last answer. Only one that
        // said itself that this is the last request is taken at its word.
        let done = self.flags.has(Flags::PEER_CLOSES) && self.fault.is_none();
        let sending = !done || self.body != BodyKind::Over || rx.raw_len() > 0;
        // Lingering keeps the buffers, which somebody else is waiting for.
        let needed = self.fault == Some(Fault::GaveWay);
        if sending && !needed && !rx.has_ended() {
            self.phase = Phase::Linger;
            self.dropped = 0;
            return Some(Next::HalfClose);
        }
        self.phase = Phase::Closed;
        None
    }

    fn linger(&mut self, site: &Site<'_>, rx: &mut RecvBuffer) -> Option<Next> {
        self.dropped = self.dropped.saturating_add(rx.drop_raw() as u32);
        if rx.has_ended() || self.dropped > site.limits.linger_bytes_max {
            self.phase = Phase::Closed;
            return None;
        }
        self.wait = Wait::Linger;
        Some(Next::Read)
    }
}

/// What a request says of its answer and of the connection behind it, whatever it is.
#[inline(never)]
fn flags_of(state: &HeadState, site: &Site<'_>, kept: Flags) -> Flags {
    let persistence = match state.is_persistent() {
        true if site.draining => kept,
        true => kept.with(Flags::PERSISTENT),
        false => kept.with(Flags::PEER_CLOSES),
    };
    persistence
        .with_if(Flags::HEAD_ONLY, state.method() == Method::Head)
        .with_if(Flags::OLD, state.version() == Version::Http10)
}

/// Bytes that an answer may have, where the send buffer has as many.
#[inline(always)]
pub(super) fn promise(site: &Site<'_>) -> usize {
    site.limits.reply_bytes_max as usize
}
