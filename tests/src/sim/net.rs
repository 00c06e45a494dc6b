//! The network behind the simulation: a clock, an agenda of what happens when, the clients, and the
//! calls on sockets. [`SimKernel`](super::SimKernel) tells readiness of it, [`Ring`](super::Ring)
//! completes.

mod calls;
mod clients;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::num::NonZeroU32;

use barewire_core::driver::Instant;
use barewire_macos::kqueue::Waker;

use super::client::{Client, Ending, Plan, Transcript};
use super::door::Door;
use super::faults::Faults;
use super::hap::{Hap, Haps};
use super::link::{Link, Way};
use super::queue::SimQueue;
use super::rng::Rng;

/// The server's end of a simulated connection. Closed by [`Net`] only: a socket that is merely
/// dropped counts as a leak, see [`Net::sockets`].
#[derive(Debug)]
pub struct SimSocket(NonZeroU32);

impl SimSocket {
    pub(super) fn at(&self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Something that happens to the client or connection of this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Connect(usize),
    /// The client's next step, or the next piece of it.
    Go(usize),
    /// The client takes answers.
    Drain(usize),
    /// An edge.
    Wake(usize, Way),
    /// An edge of the listener.
    WakeListener,
    /// A reset arrives.
    Reset(usize),
    /// Another thread orders this much of the worker, and wakes it.
    Order(u8),
    /// The thread that accepts for the worker looks up.
    Door,
}

/// The simulated network; see the [module](crate::sim).
#[derive(Debug)]
pub struct Net {
    pub(super) rng: Rng,
    pub(super) faults: Faults,
    /// Nanoseconds.
    pub(super) now: u64,
    /// By time, then in the order of planning.
    agenda: BinaryHeap<Reverse<(u64, u64, Act)>>,
    planned: u64,
    clients: Vec<Client>,
    pub(super) links: Vec<Link>,
    backlog: VecDeque<usize>,
    /// Connections of which something new is true.
    ready: VecDeque<usize>,
    pub(super) listener_ready: bool,
    pub(super) listening: bool,
    /// The number of the listening socket, where that matters.
    pub(super) listener: Option<usize>,
    /// Another thread woke the worker, which has not heard of it.
    pub(super) woken: bool,
    /// What wakes the worker instead, where that is a call of its own.
    pub(super) waker: Option<Waker<SimQueue>>,
    /// Who accepts for the worker, if somebody does.
    pub(super) door: Option<Box<Door>>,
    order: u8,
    held: usize,
    idle: bool,
    polls: u64,
    jumped_nanos: u64,
    pub(super) haps: Haps,
}

/// Nanoseconds between two things that follow each other, at most: the jitter of a local network.
const DELAY_NANOS_MAX: usize = 2_000_000;

/// Nanoseconds that the clock leaps ahead at most: a guest that was not scheduled for long.
const JUMP_NANOS_MAX: usize = 4_000_000_000;

impl Net {
    /// A network with these faults, whose clock begins so many milliseconds after its zero.
    pub(super) fn new(seed: u64, plans: Vec<Plan>, faults: Faults, start_ms: u64) -> Net {
        let mut net = Net {
            rng: Rng::new(seed),
            faults,
            now: start_ms * 1_000_000,
            agenda: BinaryHeap::new(),
            planned: 0,
            clients: Vec::new(),
            links: Vec::new(),
            backlog: VecDeque::new(),
            ready: VecDeque::new(),
            listener_ready: false,
            listening: true,
            listener: None,
            woken: false,
            waker: None,
            door: None,
            order: 0,
            held: 0,
            idle: false,
            polls: 0,
            jumped_nanos: 0,
            haps: Haps::default(),
        };
        for (at, plan) in plans.into_iter().enumerate() {
            let within = plan.connect_within_ms as usize * 1_000_000;
            let nanos = net.rng.below(within) as u64;
            let nanos = plan.connect_after_ms * 1_000_000 + nanos;
            net.plan(nanos, Act::Connect(at));
            net.links.push(Link::new(plan.window));
            net.clients.push(Client::new(plan));
        }
        net
    }

    /// Whether the last poll was to wait for ever, and nothing will ever happen: either all is
    /// done, or somebody waits in vain.
    pub fn is_idle(&self) -> bool {
        self.idle
    }

    /// Whether every client has ended and the server holds no socket.
    pub fn is_finished(&self) -> bool {
        self.sockets() == 0 && !self.clients.iter().any(Client::is_open)
    }

    /// What the clients saw, in the order of their plans.
    pub fn transcripts(&self) -> impl Iterator<Item = &Transcript> {
        self.clients.iter().map(|client| &client.transcript)
    }

    /// Sockets that the server holds.
    pub fn sockets(&self) -> usize {
        self.held
    }

    /// What has happened so far.
    pub fn haps(&self) -> &Haps {
        &self.haps
    }

    /// Milliseconds that the clock has leapt ahead, in all.
    pub fn jumped_ms(&self) -> u64 {
        self.jumped_nanos.div_ceil(1_000_000)
    }

    /// The most that another thread has ordered so far; it says so by a wake-up.
    pub fn order(&self) -> u8 {
        self.order
    }

    /// Lets another thread order something after so many milliseconds, and wake the worker.
    pub fn order_after(&mut self, ms: u64, order: u8) {
        self.plan(ms * 1_000_000, Act::Order(order));
    }

    /// Polls so far: a loop that spins shows here.
    pub fn polls(&self) -> u64 {
        self.polls
    }

    /// Connections that nobody has accepted.
    pub(super) fn waiting(&self) -> usize {
        self.backlog.len()
    }

    fn plan(&mut self, after_nanos: u64, act: Act) {
        self.planned += 1;
        let at = self.now.saturating_add(after_nanos);
        self.agenda.push(Reverse((at, self.planned, act)));
    }

    /// Soon; often at once, so that things fall together.
    fn plan_soon(&mut self, act: Act) {
        let nanos = match self.rng.below(3) {
            0 => 0,
            _ => self.rng.below(DELAY_NANOS_MAX),
        };
        self.plan(nanos as u64, act);
    }

    fn wake(&mut self, at: usize, way: Way) {
        // The planted bug: see `Faults::lost_edge`.
        if self.rng.chance(self.faults.lost_edge) {
            return;
        }
        let link = &mut self.links[at];
        if link.token.is_some() {
            if link.news.is_none() {
                self.ready.push_back(at);
            }
            link.news = link.news.and(way);
        }
    }

    /// Wakes the worker, as another thread does it.
    pub(super) fn wake_worker(&mut self) {
        match &self.waker {
            Some(waker) => waker.wake(),
            None => {
                self.haps.note_if(self.woken, Hap::WakesCoalesced);
                self.woken = true;
            }
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Connect(at) if self.listening => {
                self.backlog.push_back(at);
                self.listener_ready = true;
                self.go_on(at);
            }
            Act::Connect(at) => self.clients[at].end(Ending::Refused),
            Act::Go(at) => {
                self.clients[at].scheduled = false;
                self.step(at);
            }
            Act::Drain(at) => self.drain(at),
            Act::Wake(at, way) => self.wake(at, way),
            Act::WakeListener => self.listener_ready = true,
            Act::Order(order) => {
                self.order = self.order.max(order);
                // The planted bug: see `Faults::lost_wake`.
                if !self.rng.chance(self.faults.lost_wake) {
                    self.wake_worker();
                }
            }
            Act::Reset(at) => {
                self.links[at].reset = true;
                self.wake(at, Way::Both);
            }
            Act::Door => {
                if let Some(door) = &mut self.door {
                    door.is_due = true;
                }
            }
        }
    }

    /// The next connection of which something new is true.
    pub(super) fn pop_ready(&mut self) -> Option<usize> {
        self.pop_news().map(|(at, _)| at)
    }

    /// The same, and in which direction it is.
    pub(super) fn pop_news(&mut self) -> Option<(usize, Way)> {
        let at = self.ready.pop_front()?;
        let way = std::mem::take(&mut self.links[at].news);
        Some((at, way))
    }

    /// A turn begins. Work takes time, and now and then the clock leaps.
    pub(super) fn begin_turn(&mut self) {
        self.idle = false;
        self.polls += 1;
        self.now += 1_000;
        if self.rng.chance(self.faults.jump) && self.rng.chance(32) {
            let nanos = self.rng.below(JUMP_NANOS_MAX) as u64;
            self.now += nanos;
            self.jumped_nanos += nanos;
            self.haps.note(Hap::ClockJumped);
        }
    }

    /// Does what is due by now.
    pub(super) fn act_due(&mut self) {
        while let Some(Reverse((at, _, act))) = self.agenda.peek().copied() {
            if at > self.now {
                break;
            }
            self.agenda.pop();
            self.act(act);
            self.tend_door();
        }
        self.tend_door();
    }

    /// Lets the thread that accepts do its work, if it has any.
    fn tend_door(&mut self) {
        let stops = self.order > 0;
        loop {
            let due = stops || self.listener_ready;
            match self.door.take_if(|door| due || door.is_due) {
                Some(door) if stops => (*door).end(self),
                Some(door) => self.door = door.turn(self),
                None => break,
            }
        }
    }

    /// The thread that accepts looks up after so many nanoseconds.
    pub(super) fn plan_door(&mut self, after_nanos: u64) {
        self.plan(after_nanos, Act::Door);
    }

    /// The worker takes a connection over.
    pub(super) fn taken(&mut self) {
        if let Some(mut door) = self.door.take() {
            door.taken(self);
            self.door = Some(door);
        }
    }

    /// Lets time pass until something happens, at most until `until`. `false`: that is reached, or
    /// nothing will ever happen.
    pub(super) fn pass_time(&mut self, until: Option<Instant>) -> bool {
        let next = self.agenda.peek().map(|Reverse((at, ..))| *at);
        match (next, until) {
            (_, Some(until)) if until.0 <= self.now => false,
            (Some(next), until) if until.is_none_or(|until| next <= until.0) => {
                self.now = next;
                true
            }
            (_, Some(until)) => {
                self.now = until.0;
                false
            }
            (_, None) => {
                self.idle = true;
                false
            }
        }
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Something is new of this socket, soon.
    pub(super) fn wake_soon(&mut self, at: usize, way: Way) {
        self.plan_soon(Act::Wake(at, way));
    }

    /// The same for the listener.
    pub(super) fn wake_listener_soon(&mut self) {
        self.plan_soon(Act::WakeListener);
    }
}
