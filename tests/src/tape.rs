//! A driver without a kernel: connections are played from a tape, in memory.
//!
//! [`Tape`] implements the [`Driver`] seam, so the worker and the application above it are the
//! real ones, and nothing in between decides anything: a connection is a byte string with places
//! to cut it ([`Script`]), each cut is a receive of its own, and a send is over at once. Thousands
//! of connections a second, each the same in every run.
//!
//! ```
//! use barewire::challenge::{Board, Options};
//! use barewire_core::limits::Limits;
//! use barewire_tests::tape::{Script, play, worker};
//! let app = Board::new(Options::default(), 1)?.worker(0);
//! let mut worker = worker(app, Limits::DEFAULT);
//! let seen = play(&mut worker, Script::new(*b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n").cut(9));
//! assert!(seen.output.ends_with(b"pong"));
//! # Ok::<(), std::io::Error>(())
//! ```

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use barewire::{Addresses, Admission, App, Memory, Peer, Waits, Worker};
use barewire_core::buffer::{RecvBuffer, SendBuffer, Slot};
use barewire_core::driver::{
    Address, Completion, Driver, InFlight, Instant, PeerId, Received, Slots,
};
use barewire_core::limits::Limits;
use barewire_core::wheel;

use crate::conformance::State;

/// What a client does on one connection.
#[derive(Clone, Debug, Default)]
pub struct Script {
    bytes: Vec<u8>,
    /// Places before which a new receive begins, in order.
    cuts: Vec<usize>,
    /// Receives of at most so many bytes.
    piece_bytes_max: usize,
    /// Whether the end of the stream follows the bytes.
    shut: bool,
}

impl Script {
    /// All bytes in one piece, as far as they fit into the buffer that is offered.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Script {
        Script {
            bytes: bytes.into(),
            piece_bytes_max: usize::MAX,
            ..Script::default()
        }
    }

    /// Nothing from `at` on is received together with what is before it. Cuts are made in order.
    pub fn cut(mut self, at: usize) -> Script {
        self.cuts.push(at);
        self
    }

    /// One byte at a time.
    pub fn bytewise(mut self) -> Script {
        self.piece_bytes_max = 1;
        self
    }

    /// The end of the stream after the bytes, if `shut`.
    pub fn shut(mut self, shut: bool) -> Script {
        self.shut = shut;
        self
    }
}

/// What came of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// All that the server sent.
    pub output: Vec<u8>,
    /// What the client sees of the connection when nothing happens any more.
    pub state: State,
    /// Bytes that the server never received. If it closed all the same, a real system would reset
    /// the connection, and the client might lose the answer.
    pub unread: usize,
}

/// A connection as the tape plays it.
#[derive(Debug)]
struct Line {
    peer: PeerId,
    script: Script,
    /// How far the script was played, and whether its end was told.
    at: usize,
    ended: bool,
    output: Vec<u8>,
    state: State,
    /// The server has closed it.
    closed: bool,
    /// The client has gone: as soon as it is closed the place is free.
    gone: bool,
    /// A receive is in flight, with a buffer or without.
    wants: bool,
    rx: Option<&'static mut RecvBuffer>,
    /// The completion of a send is on its way.
    sending: bool,
}

/// The driver: nothing but connections and the completions that are on their way.
#[derive(Debug, Default)]
pub struct Tape {
    /// By the index of their name; `None`: free.
    lines: Vec<Option<Line>>,
    generation: u32,
    ready: VecDeque<Completion>,
    now: Instant,
}

/// Connections at a time, and slots for them.
const PLACES: usize = 8;

/// Bytes of each part of a slot, control words included, as a server has them by default.
const PART_BYTES: usize = 8192;
type Rx = RecvBuffer<[u8; PART_BYTES - size_of::<RecvBuffer<[u8; 0]>>()]>;
type Tx = SendBuffer<[u8; PART_BYTES - size_of::<SendBuffer<[u8; 0]>>()]>;
const _: () = assert!(size_of::<Rx>() == PART_BYTES && size_of::<Tx>() == PART_BYTES);

/// Seconds since 1970, always: the `Date` of the RFC's example, Sun, 06 Nov 1994 08:49:37 GMT.
pub const UNIX_TIME: u64 = 784_111_777;

/// A worker over a tape. What it works in is leaked, so make few of them.
pub fn worker<A: App>(app: A, limits: Limits) -> Worker<'static, Tape, A> {
    let mut slots = Slots::new(Box::leak(Box::new([const { None }; PLACES])));
    for _ in 0..PLACES {
        let rx = Box::leak(Box::new(Rx::new()));
        let tx = Box::leak(Box::new(Tx::new()));
        slots.give(Slot { rx, tx });
    }
    let memory = Memory {
        peers: Box::leak(Box::new([const { Peer::vacant() }; PLACES])),
        timers: Box::leak(Box::new([wheel::Entry::EMPTY; PLACES])),
        slots,
        deferred: VecDeque::with_capacity(PLACES),
        waits: Waits::new(PLACES),
    };
    let admission = Admission {
        open_max: PLACES,
        per_address_max: u32::MAX,
        addresses: Arc::new(Addresses::new(PLACES)),
    };
    Worker::new(Tape::default(), app, limits, memory, admission, || {
        UNIX_TIME
    })
}

/// Plays one connection to its end, then resets it if it is open.
///
/// # Panics
/// If the worker then does not hold all of its slots again.
pub fn play<A: App>(worker: &mut Worker<'_, Tape, A>, script: Script) -> Transcript {
    let peer = worker.driver_mut().begin(script);
    settle(worker);
    let seen = worker.driver_mut().finish(peer);
    settle(worker);
    assert_eq!((worker.open(), worker.free_slots()), (0, PLACES));
    seen
}

/// As [`play`], but time passes: until the connection is closed, or so many milliseconds are over.
/// Says how many.
///
/// # Panics
/// As [`play`].
pub fn play_for<A: App>(
    worker: &mut Worker<'_, Tape, A>,
    script: Script,
    limit_ms: u64,
) -> (Transcript, u64) {
    let began = worker.driver().now();
    let end = Instant(began.0 + Instant::from_millis(limit_ms).0);
    let peer = worker.driver_mut().begin(script);
    settle(worker);
    while worker.driver_mut().line(peer).state == State::Open && worker.driver().now() < end {
        turn(worker, end);
        settle(worker);
    }
    let took = Instant(worker.driver().now().nanos_since(began));
    let seen = worker.driver_mut().finish(peer);
    settle(worker);
    assert_eq!((worker.open(), worker.free_slots()), (0, PLACES));
    (seen, took.millis())
}

/// Turns until nothing happens without time passing.
fn settle<A: App>(worker: &mut Worker<'_, Tape, A>) {
    // What was put off comes in the turn after; three in a row without anything are enough.
    let mut quiet = 0;
    while quiet < 3 {
        quiet = if worker.driver().is_busy() {
            0
        } else {
            quiet + 1
        };
        let now = worker.driver().now();
        turn(worker, now);
    }
}

fn turn<A: App>(worker: &mut Worker<'_, Tape, A>, until: Instant) {
    match worker.turn(Some(until)) {
        Ok(_) => {}
        Err(never) => match never {},
    }
}

impl Tape {
    /// Begins a connection.
    pub fn begin(&mut self, script: Script) -> PeerId {
        let free = self.lines.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.lines.push(None);
            self.lines.len() - 1
        });
        assert!(index < PLACES, "more connections than places");
        self.generation += 1;
        let peer = PeerId {
            index: index as u32,
            generation: self.generation,
        };
        self.lines[index] = Some(Line {
            peer,
            script,
            at: 0,
            ended: false,
            output: Vec::new(),
            state: State::Open,
            closed: false,
            gone: false,
            wants: false,
            rx: None,
            sending: false,
        });
        self.ready.push_back(Completion::Accepted {
            peer,
            from: Address::default(),
        });
        peer
    }

    /// What came of the connection so far. If it is open, the client resets it now.
    pub fn finish(&mut self, peer: PeerId) -> Transcript {
        let line = self.line(peer);
        let seen = Transcript {
            output: std::mem::take(&mut line.output),
            state: line.state,
            unread: line.script.bytes.len() - line.at,
        };
        if line.closed {
            self.lines[peer.index as usize] = None;
        } else {
            line.gone = true;
            let InFlight { rx, tx } = self.cancel(peer);
            self.ready.push_back(Completion::Lost { peer, rx, tx });
        }
        seen
    }

    fn line(&mut self, peer: PeerId) -> &mut Line {
        let line = self.lines[peer.index as usize].as_mut();
        line.filter(|line| line.peer == peer)
            .expect("a name that is valid")
    }
}

impl Line {
    fn may_receive(&self) -> bool {
        let left = self.at < self.script.bytes.len() || (self.script.shut && !self.ended);
        self.wants && left && (self.rx.is_some() || !self.sending)
    }

    /// The next piece, at most `space` bytes of it.
    fn piece(&mut self, space: usize) -> &[u8] {
        let from = self.at;
        let end = self.script.bytes.len();
        let cut = self.script.cuts.iter().find(|cut| **cut > from);
        let longest = self.script.piece_bytes_max.min(space);
        self.at = end
            .min(*cut.unwrap_or(&end))
            .min(from.saturating_add(longest));
        &self.script.bytes[from..self.at]
    }

    fn receive(&mut self, slots: &mut Slots<'_>) -> Option<Completion> {
        let peer = self.peer;
        if self.at == self.script.bytes.len() && self.rx.is_none() {
            (self.ended, self.wants) = (true, false);
            return Some(Completion::Ended { peer });
        }
        let (rx, tx) = match self.rx.take() {
            Some(rx) => (rx, None),
            None => {
                let Slot { rx, tx } = slots.take()?;
                (rx, Some(tx))
            }
        };
        self.wants = false;
        let what = if self.at < self.script.bytes.len() {
            let space = rx.space();
            let piece = self.piece(space.len());
            space[..piece.len()].copy_from_slice(piece);
            let count = piece.len();
            rx.filled(count);
            Received::Bytes(count)
        } else {
            self.ended = true;
            rx.end();
            Received::End
        };
        Some(Completion::Received { peer, rx, tx, what })
    }
}

impl Driver for Tape {
    type Error = Infallible;

    fn recv(&mut self, peer: PeerId, rx: Option<&'static mut RecvBuffer>) {
        let line = self.line(peer);
        assert!(!line.wants, "a second receive in flight");
        (line.wants, line.rx) = (true, rx);
    }

    fn send(&mut self, peer: PeerId, tx: &'static mut SendBuffer) {
        let line = self.line(peer);
        assert!(!line.sending, "a second send in flight");
        assert!(line.state == State::Open, "a send after the shutdown");
        line.sending = true;
        line.output.extend_from_slice(tx.pending());
        tx.sent(tx.pending().len());
        self.ready.push_back(Completion::Sent { peer, tx });
    }

    fn shutdown(&mut self, peer: PeerId) {
        self.line(peer).state = State::Closed;
    }

    fn cancel(&mut self, peer: PeerId) -> InFlight {
        let line = self.line(peer);
        (line.wants, line.sending) = (false, false);
        let mut in_flight = InFlight {
            rx: line.rx.take(),
            tx: None,
        };
        // What is on its way comes home here and not by its completion.
        for completion in std::mem::take(&mut self.ready) {
            match completion {
                Completion::Sent { peer: other, tx } if other == peer => in_flight.tx = Some(tx),
                Completion::Received {
                    peer: other,
                    rx,
                    tx,
                    ..
                } if other == peer => {
                    in_flight.rx = Some(rx);
                    in_flight.tx = in_flight.tx.or(tx);
                }
                Completion::Ended { peer: other } if other == peer => {}
                other => self.ready.push_back(other),
            }
        }
        in_flight
    }

    fn close(&mut self, peer: PeerId, abort: bool) -> InFlight {
        let in_flight = self.cancel(peer);
        let line = self.line(peer);
        line.closed = true;
        line.state = if abort { State::Reset } else { State::Closed };
        if line.gone {
            self.lines[peer.index as usize] = None;
        }
        in_flight
    }

    fn accepting(&mut self, _: bool) {}

    /// Time stands still while there is something to play, and then jumps to `until`.
    fn wait(&mut self, slots: &mut Slots<'_>, until: Option<Instant>) -> Result<(), Infallible> {
        if !self.is_busy() {
            let until = until.expect("somebody waits for ever");
            self.now = self.now.max(until);
        }
        for line in self.lines.iter_mut().flatten() {
            if line.may_receive() {
                self.ready.extend(line.receive(slots));
            }
        }
        Ok(())
    }

    fn next(&mut self, _: &mut Slots<'_>) -> Option<Completion> {
        let next = self.ready.pop_front()?;
        if let Completion::Sent { peer, .. } = &next {
            self.line(*peer).sending = false;
        }
        Some(next)
    }

    fn now(&self) -> Instant {
        self.now
    }

    fn tick(&mut self) -> Instant {
        self.now
    }

    fn local(&self, _: PeerId) -> Option<Address> {
        None
    }

    fn is_busy(&self) -> bool {
        !self.ready.is_empty() || self.lines.iter().flatten().any(Line::may_receive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_received_in_the_pieces_that_it_says() {
        let pieces = |script: Script| {
            let mut places = [const { None }; 1];
            let mut slots = Slots::new(&mut places);
            slots.give(Slot {
                rx: Box::leak(Box::new(Rx::new())),
                tx: Box::leak(Box::new(Tx::new())),
            });
            let mut tape = Tape::default();
            let peer = tape.begin(script.shut(true));
            assert!(matches!(
                tape.next(&mut slots),
                Some(Completion::Accepted { .. })
            ));
            tape.recv(peer, None);
            let mut pieces = Vec::new();
            loop {
                tape.wait(&mut slots, None).unwrap();
                let Some(Completion::Received { rx, what, .. }) = tape.next(&mut slots) else {
                    panic!("nothing was received");
                };
                match what {
                    Received::Bytes(count) => pieces.push(count),
                    Received::End => return pieces,
                }
                tape.recv(peer, Some(rx));
            }
        };
        assert_eq!(pieces(Script::new(*b"abcdef")), [6]);
        assert_eq!(pieces(Script::new(*b"abcdef").cut(1).cut(4)), [1, 3, 2]);
        assert_eq!(pieces(Script::new(*b"abc").bytewise()), [1, 1, 1]);
        let space = Rx::new().capacity();
        assert_eq!(pieces(Script::new(vec![0; space])), [space]);
    }
}
