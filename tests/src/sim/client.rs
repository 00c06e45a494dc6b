//! What a simulated client is to do, and what became of it.

use std::collections::VecDeque;

use barewire_core::driver::Instant;

/// One thing that a client does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Sends these bytes, in pieces that the seed cuts.
    Send(Vec<u8>),
    /// Does nothing for so many milliseconds.
    Pause(u64),
    /// Waits until it has received so many bytes in all.
    Await(usize),
    /// Takes no more answers, as long as the server holds the connection.
    Deaf,
    /// Sends no more, but goes on receiving.
    HalfClose,
    /// Goes away in order. What the server sends from then on is answered with a reset.
    Close,
    /// Goes away with a reset.
    Abort,
}

/// A client's steps, in order. After the last it waits for the server to close.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Milliseconds from the start until it may connect.
    pub connect_after_ms: u64,
    /// Milliseconds from then to the connect, at most; the seed chooses.
    pub connect_within_ms: u64,
    /// Bytes of answers that are on the way at once at most; a small window makes a slow reader.
    pub window: usize,
    /// The IPv4 address that it comes from.
    pub from: [u8; 4],
    /// What it does.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Connects within 10 ms from 10.0.0.1, with room for 4 KiB of answers.
    pub fn new(steps: impl Into<Vec<Step>>) -> Plan {
        Plan {
            connect_after_ms: 0,
            connect_within_ms: 10,
            window: 4096,
            from: [10, 0, 0, 1],
            steps: steps.into(),
        }
    }

    /// The same, but it connects so many milliseconds later.
    pub fn after(self, connect_after_ms: u64) -> Plan {
        Plan {
            connect_after_ms,
            ..self
        }
    }

    /// The same from another address.
    pub fn from(self, from: [u8; 4]) -> Plan {
        Plan { from, ..self }
    }
}

/// How it ended for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It has not: the client still waits for something.
    Open,
    /// The server closed in order, and everything it sent has arrived.
    Finished,
    /// The server reset the connection.
    Reset,
    /// The client closed or aborted, as it was to.
    Left,
    /// The server never served it: it did not listen any more, or could not register the socket.
    Refused,
}

/// What a client saw.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// All bytes from the server, in order.
    pub received: Vec<u8>,
    /// Bytes that it sent, whether or not the server read them.
    pub sent: usize,
    /// How it ended.
    pub ending: Ending,
    /// When the server did what, on the virtual clock.
    pub times: Times,
    /// So many bytes were sent in all, at that time.
    pub departures: Vec<(usize, Instant)>,
    /// So many bytes were received in all, at that time.
    pub arrivals: Vec<(usize, Instant)>,
}

impl Transcript {
    /// When the client had sent more than `bytes` bytes. `None`: never.
    pub fn sent_beyond(&self, bytes: usize) -> Option<Instant> {
        let at = self.departures.partition_point(|(sent, _)| *sent <= bytes);
        self.departures.get(at).map(|(_, when)| *when)
    }

    /// When the client had received `bytes` bytes. `None`: never.
    pub fn received_up_to(&self, bytes: usize) -> Option<Instant> {
        let at = self.arrivals.partition_point(|(heard, _)| *heard < bytes);
        self.arrivals.get(at).map(|(_, when)| *when)
    }
}

/// When the server did something for one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Accepted it.
    pub accepted: Option<Instant>,
    /// Read its first byte.
    pub first_read: Option<Instant>,
    /// Last read at least one.
    pub last_read: Option<Instant>,
    /// Last read or sent at least one.
    pub touched: Option<Instant>,
    /// Shut down its sending side, or closed.
    pub ended: Option<Instant>,
    /// Closed.
    pub closed: Option<Instant>,
}

impl Times {
    /// Milliseconds from the accept to the end; 0 if one of them never was.
    pub fn lasted_ms(&self) -> u64 {
        match (self.accepted, self.ended) {
            (Some(accepted), Some(ended)) => ended.millis().saturating_sub(accepted.millis()),
            _ => 0,
        }
    }

    /// Milliseconds from the accept to the close; 0 if one of them never was.
    pub fn held_ms(&self) -> u64 {
        let closed = Times {
            ended: self.closed,
            ..*self
        };
        closed.lasted_ms()
    }
}

/// A client in the middle of its plan.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) from: [u8; 4],
    pub(crate) steps: VecDeque<Step>,
    pub(crate) transcript: Transcript,
    /// A step, or the next piece of one, is on the agenda.
    pub(crate) scheduled: bool,
    /// Takes no answers.
    pub(crate) deaf: bool,
}

impl Client {
    pub(crate) fn new(plan: Plan) -> Client {
        Client {
            from: plan.from,
            steps: plan.steps.into(),
            transcript: Transcript {
                received: Vec::new(),
                sent: 0,
                ending: Ending::Open,
                times: Times::default(),
                departures: Vec::new(),
                arrivals: Vec::new(),
            },
            scheduled: false,
            deaf: false,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.transcript.ending == Ending::Open
    }

    /// The server read or sent something.
    pub(crate) fn touch(&mut self, now: Instant, read: bool) {
        let times = &mut self.transcript.times;
        times.touched = Some(now);
        if read {
            times.first_read.get_or_insert(now);
            times.last_read = Some(now);
        }
    }

    /// Receives some of the answers.
    pub(crate) fn hear(&mut self, bytes: impl Iterator<Item = u8>, now: u64) {
        self.transcript.received.extend(bytes);
        let heard = self.transcript.received.len();
        self.transcript.arrivals.push((heard, Instant(now)));
    }

    /// Sends so many bytes.
    pub(crate) fn say(&mut self, bytes: usize, now: u64) {
        self.transcript.sent += bytes;
        let sent = self.transcript.sent;
        self.transcript.departures.push((sent, Instant(now)));
    }

    pub(crate) fn end(&mut self, ending: Ending) {
        if self.is_open() {
            self.transcript.ending = ending;
            self.steps.clear();
        }
    }
}
