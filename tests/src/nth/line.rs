//! One client and its connection.

use std::collections::VecDeque;

use barewire_core::driver::{Event, Instant};

use crate::drill::Answers;

/// One thing that a client does.
#[derive(Clone, Debug)]
pub(super) enum Move {
    /// Waits until so many milliseconds have passed since the start.
    At(u64),
    Connect,
    Send(Vec<u8>),
    /// Waits until so many final answers are there in all.
    Answers(usize),
    /// Ends its stream, and goes on reading.
    Fin,
    /// Resets the connection.
    Reset,
}

/// What a client does, and how many bytes it takes at a time.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) moves: Vec<Move>,
    pub(super) window: usize,
    /// Which of its requests are events, in order.
    pub(super) events: Vec<bool>,
}

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Before,
    /// In the backlog.
    Waits,
    Open,
    Over,
}

#[derive(Debug)]
pub(super) struct Line {
    moves: VecDeque<Move>,
    window: usize,
    pub(super) stage: Stage,
    pub(super) token: Option<u64>,
    /// On their way to the server.
    incoming: VecDeque<u8>,
    fin: bool,
    pub(super) reset: bool,
    pub(super) received: Vec<u8>,
    answers: Answers,
    finals: usize,
    /// Received and not read by the client.
    unread: usize,
    /// A send came back short: there will be an edge.
    blocked: bool,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The fault of this run was its own.
    pub(super) struck: bool,
    pub(super) accepted: bool,
    pub(super) closes: u32,
}

impl Line {
    pub(super) fn new(visit: &Visit) -> Line {
        Line {
            moves: visit.moves.iter().cloned().collect(),
            window: visit.window,
            stage: Stage::Before,
            token: None,
            incoming: VecDeque::new(),
            fin: false,
            reset: false,
            received: Vec::new(),
            answers: Answers::default(),
            finals: 0,
            unread: 0,
            blocked: false,
            readable: false,
            writable: false,
            struck: false,
            accepted: false,
            closes: 0,
        }
    }

    /// Does what can be done at `now`. Whether it wants to connect.
    pub(super) fn advance(&mut self, now: Instant) -> bool {
        self.unread = 0;
        if std::mem::take(&mut self.blocked) {
            self.writable = true;
        }
        let mut connects = false;
        while let Some(next) = self.moves.front() {
            match next {
                Move::At(ms) if now.millis() < *ms => break,
                Move::At(_) => {}
                Move::Connect => {
                    self.stage = Stage::Waits;
                    connects = true;
                }
                Move::Send(bytes) => {
                    self.incoming.extend(bytes);
                    self.readable = true;
                }
                Move::Answers(count) if self.finals < *count => break,
                Move::Answers(_) => {}
                Move::Fin => self.end(),
                Move::Reset => {
                    self.reset = true;
                    self.readable = true;
                }
            }
            self.moves.pop_front();
        }
        connects
    }

    /// When it goes on by itself.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.moves.front() {
            Some(Move::At(ms)) => Some(Instant::from_millis(*ms)),
            _ => None,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    fn end(&mut self) {
        self.fin = true;
        self.readable = true;
    }

    /// The server's end of stream: the client has nothing more to say either.
    pub(super) fn shut(&mut self) {
        if !self.fin {
            self.moves.clear();
            self.end();
        }
    }

    /// It is registered: what is there is told at once.
    pub(super) fn watch(&mut self, token: u64) {
        self.token = Some(token);
        self.readable = !self.incoming.is_empty() || self.fin || self.reset;
        self.writable = true;
    }

    pub(super) fn take_event(&mut self) -> Option<Event> {
        let token = self.token.filter(|_| self.readable || self.writable)?;
        let readable = std::mem::take(&mut self.readable);
        Some(Event {
            token,
            readable,
            writable: std::mem::take(&mut self.writable) || self.reset,
            ended: readable && self.fin,
            broken: self.reset,
        })
    }

    /// At most `most` bytes. `None`: nothing is there.
    pub(super) fn recv(&mut self, into: &mut [u8], most: usize) -> Option<usize> {
        let count = self.incoming.len().min(into.len()).min(most);
        if count == 0 && !self.fin {
            return None;
        }
        for (place, byte) in into.iter_mut().zip(self.incoming.drain(..count)) {
            *place = byte;
        }
        if most == 1 {
            self.readable = true;
        }
        Some(count)
    }

    /// At most `most` bytes. `None`: there is no room.
    pub(super) fn send(&mut self, from: &[u8], most: usize) -> Option<usize> {
        let count = from.len().min(self.window - self.unread).min(most);
        self.blocked |= count < from.len();
        if count == 0 {
            return None;
        }
        self.received.extend(&from[..count]);
        self.unread += count;
        let finals = &mut self.finals;
        self.answers.push(&from[..count], |_| *finals += 1);
        Some(count)
    }

    /// What is there comes a moment later.
    pub(super) fn put_off(&mut self, writing: bool) {
        match writing {
            true => self.blocked = true,
            false => self.readable = true,
        }
    }

    /// The connection is no more, at the server's end.
    pub(super) fn leave(&mut self) {
        self.stage = Stage::Over;
        self.token = None;
        self.moves.clear();
    }
}
