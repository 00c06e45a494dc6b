//! The network behind the simulation: a clock, an agenda of what happens when, the clients, and the
//! calls on sockets. [`SimKernel`](super::SimKernel) tells readiness of it, [`Ring`](super::Ring)
//! completes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::num::NonZeroU32;

use barewire_core::driver::{Address, Instant, Trouble};

use super::client::{Client, Ending, Plan, Step, Transcript};
use super::faults::Faults;
use super::hap::{Hap, Haps};
use super::link::Link;
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
    Wake(usize),
    /// An edge of the listener.
    WakeListener,
    /// A reset arrives.
    Reset(usize),
    /// Another thread orders this much of the worker, and wakes it.
    Order(u8),
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
    /// Another thread woke the worker, which has not heard of it.
    pub(super) woken: bool,
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
            woken: false,
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

    fn wake(&mut self, at: usize) {
        // The planted bug: see `Faults::lost_edge`.
        if self.rng.chance(self.faults.lost_edge) {
            return;
        }
        let link = &mut self.links[at];
        if link.token.is_some() && !link.ready {
            link.ready = true;
            self.ready.push_back(at);
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
            Act::Wake(at) => self.wake(at),
            Act::WakeListener => self.listener_ready = true,
            Act::Order(order) => {
                self.order = self.order.max(order);
                self.haps.note_if(self.woken, Hap::WakesCoalesced);
                // The planted bug: see `Faults::lost_wake`.
                self.woken |= !self.rng.chance(self.faults.lost_wake);
            }
            Act::Reset(at) => {
                self.links[at].reset = true;
                self.wake(at);
            }
        }
    }

    /// Puts the client's next step on the agenda, unless it is there or has to wait.
    fn go_on(&mut self, at: usize) {
        let client = &mut self.clients[at];
        let waits = match client.steps.front() {
            Some(Step::Await(count)) => client.transcript.received.len() < *count,
            Some(_) => false,
            None => true,
        };
        if waits || client.scheduled {
            return;
        }
        client.scheduled = true;
        match client.steps.front() {
            Some(Step::Pause(ms)) => {
                let nanos = ms * 1_000_000;
                self.plan(nanos, Act::Go(at));
            }
            _ => self.plan_soon(Act::Go(at)),
        }
    }

    fn step(&mut self, at: usize) {
        let (client, link) = (&mut self.clients[at], &mut self.links[at]);
        match client.steps.pop_front() {
            Some(Step::Send(mut bytes)) => {
                let n = match self.rng.below(3) {
                    0 => bytes.len(),
                    1 => self.rng.one_to(bytes.len()).min(bytes.len()),
                    _ => self.rng.one_to(8).min(bytes.len()),
                };
                client.say(n, self.now);
                let rest = bytes.split_off(n);
                link.inbox.extend(bytes);
                if !rest.is_empty() {
                    client.steps.push_front(Step::Send(rest));
                }
                self.wake(at);
            }
            Some(Step::Deaf) => client.deaf = true,
            Some(Step::HalfClose) => {
                link.fin = true;
                self.wake(at);
            }
            Some(Step::Close) => {
                link.fin = true;
                link.deserted = true;
                // Answers that nobody read turn the end into a reset.
                link.reset |= !link.outbox.is_empty();
                link.outbox.clear();
                client.end(Ending::Left);
                self.wake(at);
            }
            Some(Step::Abort) => {
                link.reset = true;
                link.deserted = true;
                link.outbox.clear();
                client.end(Ending::Left);
                self.wake(at);
            }
            Some(Step::Pause(_) | Step::Await(_)) | None => {}
        }
        self.go_on(at);
    }

    /// The client takes some of the answers.
    fn drain(&mut self, at: usize) {
        let (client, link) = (&mut self.clients[at], &mut self.links[at]);
        link.draining = false;
        if client.deaf && link.held {
            return;
        }
        let n = match self.rng.below(2) {
            0 => link.outbox.len(),
            _ => self.rng.one_to(link.outbox.len()).min(link.outbox.len()),
        };
        client.hear(link.outbox.drain(..n), self.now);
        if link.server_fin && link.outbox.is_empty() {
            client.end(Ending::Finished);
        }
        let more = !link.outbox.is_empty();
        if link.no_space && link.has_room() {
            link.no_space = false;
            self.wake(at);
        }
        if more {
            self.start_drain(at);
        }
        self.go_on(at);
    }

    fn start_drain(&mut self, at: usize) {
        if !core::mem::replace(&mut self.links[at].draining, true) {
            self.plan_soon(Act::Drain(at));
        }
    }

    /// The next connection of which something new is true.
    pub(super) fn pop_ready(&mut self) -> Option<usize> {
        let at = self.ready.pop_front()?;
        self.links[at].ready = false;
        Some(at)
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

    pub(super) fn interrupted(&mut self) -> Result<(), Trouble> {
        match self.rng.chance(self.faults.interrupt) {
            true => {
                self.haps.note(Hap::Interrupted);
                Err(Trouble::Interrupted)
            }
            false => Ok(()),
        }
    }

    pub(super) fn accept(&mut self) -> Result<(SimSocket, Address), Trouble> {
        self.interrupted()?;
        if self.backlog.is_empty() || !self.listening {
            return Err(Trouble::WouldBlock);
        }
        if self.rng.chance(self.faults.again) {
            self.haps.note(Hap::AcceptAgain);
            self.plan_soon(Act::WakeListener);
            return Err(Trouble::WouldBlock);
        }
        if self.faults.descriptors > 0 && self.held >= self.faults.descriptors.into() {
            self.haps.note(Hap::ProcessFull);
            return Err(Trouble::Exhausted);
        }
        if self.rng.chance(self.faults.exhausted) {
            let (hap, trouble) = [
                (Hap::SystemFull, Trouble::Exhausted),
                (Hap::NoMemory, Trouble::Exhausted),
                (Hap::AcceptFailed, Trouble::Other(99)),
            ][self.rng.below(3)];
            self.haps.note(hap);
            return Err(trouble);
        }
        if self.rng.chance(self.faults.aborted) {
            self.haps.note(Hap::AcceptAborted);
            return Err(Trouble::Aborted);
        }
        let at = self.backlog.pop_front().ok_or(Trouble::WouldBlock)?;
        self.links[at].held = true;
        self.held += 1;
        let number = NonZeroU32::MIN.saturating_add(at as u32);
        let client = std::net::SocketAddr::from((self.clients[at].from, at as u16));
        Ok((SimSocket(number), Address::new(client)))
    }

    /// News of this socket are for `token` from now on.
    pub(super) fn name(&mut self, socket: &SimSocket, token: u64) {
        let at = socket.at();
        self.links[at].token = Some(token);
        self.clients[at].transcript.times.accepted = Some(Instant(self.now));
        // What is true already counts as news.
        self.wake(at);
    }

    /// The server could not do with this client.
    pub(super) fn turn_away(&mut self, socket: &SimSocket) {
        self.clients[socket.at()].end(Ending::Refused);
    }

    /// Something is new of this socket, soon.
    pub(super) fn wake_soon(&mut self, at: usize) {
        self.plan_soon(Act::Wake(at));
    }

    /// The same for the listener.
    pub(super) fn wake_listener_soon(&mut self) {
        self.plan_soon(Act::WakeListener);
    }

    pub(super) fn recv(&mut self, socket: &SimSocket, into: &mut [u8]) -> Result<usize, Trouble> {
        assert!(!into.is_empty(), "a read of nothing");
        self.interrupted()?;
        let at = socket.at();
        let link = &mut self.links[at];
        if link.reset && !self.rng.chance(self.faults.reset_keeps_bytes) {
            link.inbox.clear();
        }
        if link.inbox.is_empty() {
            return match (link.reset, link.fin) {
                (true, _) => {
                    self.haps.note(Hap::Reset);
                    Err(Trouble::Lost)
                }
                (_, true) => {
                    self.haps.note_if(!link.deserted, Hap::HalfClosed);
                    Ok(0)
                }
                _ => Err(Trouble::WouldBlock),
            };
        }
        if !link.told_end && self.rng.chance(self.faults.again) {
            self.haps.note(Hap::ReadAgain);
            self.plan_soon(Act::Wake(at));
            return Err(Trouble::WouldBlock);
        }
        let mut n = into.len().min(link.inbox.len());
        if self.rng.chance(self.faults.short) {
            n = self.rng.one_to(n).min(n);
        }
        self.haps
            .note_if(n < link.inbox.len().min(into.len()), Hap::ShortRead);
        self.haps
            .note_if(link.fin || link.reset, Hap::EndBehindData);
        for (into, byte) in into.iter_mut().zip(link.inbox.drain(..n)) {
            *into = byte;
        }
        // As if the rest had arrived just after.
        if n < into.len() && !link.inbox.is_empty() && !link.told_end {
            self.plan_soon(Act::Wake(at));
        }
        self.clients[at].touch(Instant(self.now), true);
        Ok(n)
    }

    pub(super) fn send(&mut self, socket: &SimSocket, from: &[u8]) -> Result<usize, Trouble> {
        assert!(!from.is_empty(), "a send of nothing");
        self.interrupted()?;
        let at = socket.at();
        let link = &mut self.links[at];
        if link.reset || link.server_fin {
            self.haps.note(Hap::Reset);
            return Err(Trouble::Lost);
        }
        if link.deserted {
            self.plan_soon(Act::Reset(at));
            return Ok(from.len());
        }
        let room = link.room();
        if room == 0 {
            link.no_space = true;
            return Err(Trouble::WouldBlock);
        }
        if self.rng.chance(self.faults.again) {
            self.haps.note(Hap::WriteAgain);
            self.plan_soon(Act::Wake(at));
            return Err(Trouble::WouldBlock);
        }
        let mut n = room.min(from.len());
        if self.rng.chance(self.faults.short) {
            n = self.rng.one_to(n).min(n);
        }
        self.haps.note_if(n < from.len(), Hap::ShortWrite);
        link.outbox.extend(&from[..n]);
        if n < from.len() {
            link.no_space = true;
            if n < room {
                self.plan_soon(Act::Wake(at));
            }
        }
        self.clients[at].touch(Instant(self.now), false);
        self.start_drain(at);
        Ok(n)
    }

    pub(super) fn shutdown(&mut self, socket: &SimSocket) {
        let at = socket.at();
        self.links[at].server_fin = true;
        let times = &mut self.clients[at].transcript.times;
        times.ended.get_or_insert(Instant(self.now));
        if self.links[at].fin {
            // Both directions are shut: a hang-up.
            self.wake(at);
        }
        self.start_drain(at);
    }

    pub(super) fn close(&mut self, socket: SimSocket, abort: bool) {
        let at = socket.at();
        let link = &mut self.links[at];
        assert!(link.held, "closed twice");
        link.held = false;
        let times = &mut self.clients[at].transcript.times;
        times.ended.get_or_insert(Instant(self.now));
        times.closed = Some(Instant(self.now));
        link.token = None;
        self.held -= 1;
        // To close with unread bytes is to reset, and the reset may overtake answers.
        if abort || !link.inbox.is_empty() {
            if abort || self.rng.chance(128) {
                link.outbox.clear();
            }
            let now = self.now;
            self.clients[at].hear(link.outbox.drain(..), now);
            self.clients[at].end(Ending::Reset);
        } else {
            link.server_fin = true;
            self.start_drain(at);
        }
    }

    pub(super) fn stop_listening(&mut self) {
        self.listening = false;
        for at in self.backlog.drain(..) {
            self.clients[at].end(Ending::Refused);
        }
    }

    pub(super) fn local(&self) -> Address {
        Address::new(std::net::SocketAddr::from(([10, 0, 0, 2], 80)))
    }
}
