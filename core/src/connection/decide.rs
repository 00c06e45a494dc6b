//! The machine: what has to happen next. Decides with short borrows; `step` lends afterwards.

use super::phase::{Outbound, Phase, Wait};
use super::{Bodies, BodyKind, Connection, Fault, Flags, Refusal, Reply, Site};
use crate::buffer::{RecvBuffer, SectionParts, SendBuffer};
use crate::limits::{FAULT_REPLY_BYTES, STREAM_ROOM_BYTES_MIN};
use crate::wire::{self, ChunkDecoder, ChunkStep, Framing, HeadState, Method, Version};

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
            self.misused();
        }
        if self.phase == Phase::Answered {
            if !self.next_request(rx) {
                return self.decide_last(site, rx, tx);
            }
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
        self.decide_other(site, rx, tx)
    }

    /// There is no next request.
    #[inline(never)]
    fn decide_last(&mut self, site: &Site<'_>, rx: &mut RecvBuffer, tx: &mut SendBuffer) -> Next {
        self.phase = Phase::Last;
        self.decide_other(site, rx, tx)
    }

    /// Whether a body that is to be gathered is all there, and nothing of it is decoded yet:
    /// `gather` would come to the same.
    #[inline(always)]
    fn has_all(&self, rx: &RecvBuffer) -> bool {
        self.body == BodyKind::Length
            && self.left <= u64::from(self.hold)
            && self.left <= rx.raw_len() as u64
            && rx.body().is_empty()
            && !self.flags.has(Flags::EXPECTS)
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
                Phase::Choose => {
                    let promise = promise(site).saturating_add(CONTINUE.len());
                    self.lend_with_room(promise, tx, Phase::Choosing, Next::Head)
                }
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

    fn write(&mut self, tx: &SendBuffer) -> Option<Next> {
        self.wait = Wait::Send;
        self.flush = tx.flushes();
        Some(Next::Write)
    }

    /// What was asked is answered: on to what is behind it. False: nothing is, this was the last.
    #[inline(always)]
    fn next_request(&mut self, rx: &mut RecvBuffer) -> bool {
        if rx.state.is_in_trailers() {
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
        let mut parts = rx.head_parts();
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
                self.refuse(fault.into());
                None
            }
            _ => self.head_slowly(site, rx, tx),
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
            self.phase = Phase::Closed;
        } else if rx.has_ended() {
            self.refuse(Fault::Truncated);
        } else if !rx.make_space() {
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
        self.flags = match state.is_usual() & !site.draining {
            true => kept.with(Flags::PERSISTENT),
            false => flags_of(state, site, kept),
        };
        let framing = state.framing();
        if framing != Framing::None {
            let expects = state.expects_continue();
            self.flags = self.flags.with_if(Flags::EXPECTS, expects);
            self.dropped = 0;
        }
        match framing {
            Framing::None => {
                self.body = BodyKind::Over;
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
            self.wait = Wait::Send;
            self.flush = tx.flushes();
            return Next::Write;
        }
        self.phase = Phase::Serving;
        Next::Request
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

    fn gather(
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
    fn hold(&mut self, site: &Site<'_>, rx: &mut RecvBuffer, tx: &mut SendBuffer) -> Option<Next> {
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

    fn stream(
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

    /// Lends a piece of a stream again and again, as long as something comes of it.
    fn lend_in_turn(&mut self, room: usize, tx: &SendBuffer, next: Next) -> Option<Next> {
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

    /// The answer is over and the body is not: it is read and dropped, if that is worth it.
    fn discard(&mut self, site: &Site<'_>, rx: &mut RecvBuffer, tx: &SendBuffer) -> Option<Next> {
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

/// Bytes kept free for a size line and the end of a chunk behind the data in hand. They are read
/// byte by byte, so few are enough; trailers need what they need.
const CHUNK_FRAMING_ROOM: usize = 64;

/// Bytes that an answer may have, where the send buffer has as many.
#[inline(always)]
pub(super) fn promise(site: &Site<'_>) -> usize {
    site.limits.reply_bytes_max as usize
}

fn usize_of(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
