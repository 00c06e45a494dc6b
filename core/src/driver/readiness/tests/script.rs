//! The kernel that answers from a script, and the driver over it.

use core::num::NonZeroU32;
use std::boxed::Box;
use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

use super::*;

/// A socket by its number; numbers are used again at once, as descriptors are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fd(NonZeroU32);

/// Answers what it is told to, `WouldBlock` where it is told nothing, and notes every call.
#[derive(Default)]
pub(super) struct Script {
    pub(super) now: u64,
    pub(super) polls: VecDeque<Vec<Event>>,
    pub(super) accepts: VecDeque<Result<(), Trouble>>,
    pub(super) registers: VecDeque<Result<(), Trouble>>,
    pub(super) recvs: VecDeque<Result<&'static [u8], Trouble>>,
    pub(super) sends: VecDeque<Result<usize, Trouble>>,
    pub(super) calls: Vec<Call>,
    pub(super) open: Vec<u32>,
    pub(super) tokens: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Poll(Option<Instant>),
    Accept,
    Recv(usize),
    Send(usize),
    Shutdown,
    Close(bool),
    StopListening,
}
pub(super) use Call::*;

impl Kernel for Script {
    type Socket = Fd;
    type Error = &'static str;

    fn poll(
        &mut self,
        events: &mut [Event],
        until: Option<Instant>,
    ) -> Result<usize, &'static str> {
        self.calls.push(Poll(until));
        let batch = self.polls.pop_front().unwrap_or_default();
        for (into, event) in events.iter_mut().zip(&batch) {
            *into = *event;
        }
        Ok(batch.len())
    }

    fn accept(&mut self) -> Result<(Fd, Address), Trouble> {
        self.calls.push(Accept);
        self.accepts
            .pop_front()
            .unwrap_or(Err(Trouble::WouldBlock))?;
        let fd = (1..).find(|fd| !self.open.contains(fd)).unwrap();
        self.open.push(fd);
        Ok((Fd(NonZeroU32::new(fd).unwrap()), Address::default()))
    }

    fn register(&mut self, _: &Fd, token: u64) -> Result<(), Trouble> {
        self.tokens.push(token);
        self.registers.pop_front().unwrap_or(Ok(()))
    }

    fn recv(&mut self, _: &Fd, into: &mut [u8]) -> Result<usize, Trouble> {
        self.calls.push(Recv(into.len()));
        let bytes = self.recvs.pop_front().unwrap_or(Err(Trouble::WouldBlock))?;
        into[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }

    fn send(&mut self, _: &Fd, from: &[u8]) -> Result<usize, Trouble> {
        self.calls.push(Send(from.len()));
        self.sends.pop_front().unwrap_or(Err(Trouble::WouldBlock))
    }

    fn shutdown(&mut self, _: &Fd) {
        self.calls.push(Shutdown);
    }

    fn close(&mut self, socket: Fd, abort: bool) {
        self.calls.push(Close(abort));
        self.open.retain(|fd| *fd != socket.0.get());
    }

    fn stop_listening(&mut self) {
        self.calls.push(StopListening);
    }

    fn local(&self, _: &Fd) -> Option<Address> {
        Some(Address::default())
    }

    fn now(&self) -> Instant {
        Instant(self.now)
    }
}

pub(super) const NOTHING: Event = Event {
    token: 0,
    readable: false,
    writable: false,
    ended: false,
    broken: false,
};

pub(super) fn readable(peer: PeerId) -> Event {
    Event {
        token: peer.to_word(),
        readable: true,
        ..NOTHING
    }
}

pub(super) fn writable(peer: PeerId) -> Event {
    Event {
        token: peer.to_word(),
        writable: true,
        ..NOTHING
    }
}

pub(super) fn broken(peer: PeerId) -> Event {
    Event {
        token: peer.to_word(),
        broken: true,
        ..NOTHING
    }
}

/// 8 bytes of space: the size of a full read.
pub(super) const SPACE: usize = 8;

pub(super) fn rx() -> &'static mut RecvBuffer {
    Box::leak(Box::new(RecvBuffer::<[u8; SPACE]>::new()))
}

pub(super) fn tx(bytes: &[u8]) -> &'static mut SendBuffer {
    let tx: &'static mut SendBuffer = Box::leak(Box::new(SendBuffer::<[u8; 32]>::new()));
    assert!(tx.append(bytes));
    tx
}

/// The driver under test with its slots. Memory is leaked: the tests are short.
pub(super) struct Bench {
    pub(super) driver: Readiness<'static, Script>,
    pub(super) slots: Slots<'static>,
}

impl Bench {
    pub(super) fn new(entries: usize, slots: usize) -> Bench {
        let places = Box::leak((0..slots).map(|_| None).collect());
        let mut slots = Slots::new(places);
        while slots.free() < slots.capacity() {
            let tx = tx(b"");
            slots.give(Slot { rx: rx(), tx });
        }
        let entries: Vec<_> = (0..entries).map(|_| Entry::new()).collect();
        let driver = Readiness::new(Script::default(), entries.leak());
        Bench { driver, slots }
    }

    /// With `N` open connections, nothing in flight, no calls noted.
    pub(super) fn open<const N: usize>(slots: usize) -> (Bench, [PeerId; N]) {
        let mut bench = Bench::new(N, slots);
        bench.script().accepts = VecDeque::from(vec![Ok(()); N]);
        let peers = bench.turn();
        let peers = core::array::from_fn(|at| match peers[at] {
            Completion::Accepted { peer, .. } => peer,
            _ => panic!("{:?}", peers[at]),
        });
        bench.script().calls.clear();
        (bench, peers)
    }

    pub(super) fn script(&mut self) -> &mut Script {
        self.driver.kernel_mut()
    }

    /// One turn: a wait, and all completions.
    pub(super) fn turn(&mut self) -> Vec<Completion> {
        self.driver.wait(&mut self.slots, None).unwrap();
        self.drain()
    }

    pub(super) fn drain(&mut self) -> Vec<Completion> {
        core::iter::from_fn(|| self.driver.next(&mut self.slots)).collect()
    }

    /// One turn in which the kernel tells `events`.
    pub(super) fn told(&mut self, events: &[Event]) -> Vec<Completion> {
        self.script().polls.push_back(events.to_vec());
        self.turn()
    }

    /// The calls since the last look, without the polls.
    pub(super) fn calls(&mut self) -> Vec<Call> {
        let calls = core::mem::take(&mut self.script().calls);
        calls
            .into_iter()
            .filter(|call| !matches!(call, Poll(_)))
            .collect()
    }

    /// What the last poll was told about waiting.
    pub(super) fn last_poll(&mut self) -> Option<Instant> {
        let polls = self.script().calls.iter().rev();
        let mut polls = polls.filter_map(|call| match call {
            Poll(until) => Some(*until),
            _ => None,
        });
        polls.next().unwrap()
    }
}

pub(super) fn received(completions: Vec<Completion>) -> (&'static mut RecvBuffer, Received) {
    let [Completion::Received { rx, what, .. }] = <[_; 1]>::try_from(completions).unwrap() else {
        panic!("no receive");
    };
    (rx, what)
}
