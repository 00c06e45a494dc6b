//! The kernel: a clock, an agenda of what happens when, and the system calls.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::convert::Infallible;
use std::num::NonZeroU32;

use barewire_core::driver::{Address, Event, Instant, Kernel, LISTENER, Trouble};

use super::client::{Client, Ending, Plan, Step, Transcript};
use super::faults::Faults;
use super::link::Link;
use super::rng::Rng;

/// The server's end of a simulated connection. Closed by [`Kernel::close`] only: a socket that is
/// merely dropped counts as a leak, see [`SimKernel::sockets`].
#[derive(Debug)]
pub struct SimSocket(NonZeroU32);

impl SimSocket {
    fn at(&self) -> usize {
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
}

/// A simulated [`Kernel`]; see the [module](crate::sim).
#[derive(Debug)]
pub struct SimKernel {
    rng: Rng,
    faults: Faults,
    /// Nanoseconds.
    now: u64,
    /// By time, then in the order of planning.
    agenda: BinaryHeap<Reverse<(u64, u64, Act)>>,
    planned: u64,
    clients: Vec<Client>,
    links: Vec<Link>,
    backlog: VecDeque<usize>,
    ready: VecDeque<usize>,
    listener_ready: bool,
    listening: bool,
    stale: Vec<Event>,
    idle: bool,
    polls: u64,
}

/// Nanoseconds between two things that follow each other, at most.
const DELAY_NANOS_MAX: usize = 2_000_000;

impl SimKernel {
    /// A kernel whose faults the seed chooses.
    pub fn new(seed: u64, plans: Vec<Plan>) -> SimKernel {
        let faults = Faults::any(&mut Rng::new(!seed));
        SimKernel::with_faults(seed, plans, faults)
    }

    /// A kernel with these faults.
    pub fn with_faults(seed: u64, plans: Vec<Plan>, faults: Faults) -> SimKernel {
        let mut kernel = SimKernel {
            rng: Rng::new(seed),
            faults,
            now: 0,
            agenda: BinaryHeap::new(),
            planned: 0,
            clients: Vec::new(),
            links: Vec::new(),
            backlog: VecDeque::new(),
            ready: VecDeque::new(),
            listener_ready: false,
            listening: true,
            stale: Vec::new(),
            idle: false,
            polls: 0,
        };
        for (at, plan) in plans.into_iter().enumerate() {
            let within = plan.connect_within_ms as usize * 1_000_000;
            let nanos = kernel.rng.below(within) as u64;
            let nanos = plan.connect_after_ms * 1_000_000 + nanos;
            kernel.plan(nanos, Act::Connect(at));
            kernel.links.push(Link::new(plan.window));
            kernel.clients.push(Client::new(plan));
        }
        kernel
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
        self.links.iter().filter(|link| link.held).count()
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
                client.transcript.sent += n;
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
        client.transcript.received.extend(link.outbox.drain(..n));
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

    /// Takes sockets off the ready list and reports what is true of them now.
    fn harvest(&mut self, events: &mut [Event]) -> usize {
        // A small batch now and then: the rest stays for the next poll.
        let most = match self.rng.below(4) {
            0 => events.len().min(1),
            _ => events.len(),
        };
        let mut count = 0;
        while count < most {
            let event = if core::mem::take(&mut self.listener_ready) {
                Some(Event {
                    token: LISTENER,
                    readable: true,
                    ..Event::default()
                })
            } else if let Some(stale) = self.stale.pop() {
                Some(stale)
            } else if let Some(at) = self.ready.pop_front() {
                self.links[at].ready = false;
                self.links[at].event()
            } else {
                break;
            };
            if let Some(event) = event {
                events[count] = event;
                count += 1;
            }
        }
        count
    }

    fn interrupted(&mut self) -> Result<(), Trouble> {
        match self.rng.chance(self.faults.interrupt) {
            true => Err(Trouble::Interrupted),
            false => Ok(()),
        }
    }
}

impl Kernel for SimKernel {
    type Socket = SimSocket;
    type Error = Infallible;

    fn poll(&mut self, events: &mut [Event], until: Option<Instant>) -> Result<usize, Infallible> {
        self.idle = false;
        self.polls += 1;
        // Work takes time.
        self.now += 1_000;
        if self.rng.chance(self.faults.interrupt) {
            return Ok(0);
        }
        loop {
            while let Some(Reverse((at, _, act))) = self.agenda.peek().copied() {
                if at > self.now {
                    break;
                }
                self.agenda.pop();
                self.act(act);
            }
            let count = self.harvest(events);
            if count > 0 || until.is_some_and(|until| until.0 <= self.now) {
                return Ok(count);
            }
            let next = self.agenda.peek().map(|Reverse((at, ..))| *at);
            match (next, until) {
                (Some(next), until) if until.is_none_or(|until| next <= until.0) => {
                    self.now = next;
                }
                (_, Some(until)) => {
                    self.now = until.0;
                    return Ok(0);
                }
                (_, None) => {
                    self.idle = true;
                    return Ok(0);
                }
            }
        }
    }

    fn accept(&mut self) -> Result<(SimSocket, Address), Trouble> {
        self.interrupted()?;
        if self.backlog.is_empty() || !self.listening {
            return Err(Trouble::WouldBlock);
        }
        if self.rng.chance(self.faults.again) {
            self.plan_soon(Act::WakeListener);
            return Err(Trouble::WouldBlock);
        }
        if self.rng.chance(self.faults.exhausted) {
            return Err(Trouble::Exhausted);
        }
        if self.rng.chance(self.faults.aborted) {
            return Err(Trouble::Aborted);
        }
        let at = self.backlog.pop_front().ok_or(Trouble::WouldBlock)?;
        self.links[at].held = true;
        self.clients[at].transcript.times.accepted = Some(Instant(self.now));
        let number = NonZeroU32::MIN.saturating_add(at as u32);
        let client = std::net::SocketAddr::from((self.clients[at].from, at as u16));
        Ok((SimSocket(number), Address::new(client)))
    }

    fn register(&mut self, socket: &SimSocket, token: u64) -> Result<(), Trouble> {
        let at = socket.at();
        if self.rng.chance(self.faults.unregistered) {
            self.clients[at].end(Ending::Refused);
            return Err(Trouble::Exhausted);
        }
        self.links[at].token = Some(token);
        // What is true already counts as news.
        self.wake(at);
        Ok(())
    }

    fn recv(&mut self, socket: &SimSocket, into: &mut [u8]) -> Result<usize, Trouble> {
        assert!(!into.is_empty(), "a read of nothing");
        self.interrupted()?;
        let at = socket.at();
        let link = &mut self.links[at];
        if link.reset && !self.rng.chance(self.faults.reset_keeps_bytes) {
            link.inbox.clear();
        }
        if link.inbox.is_empty() {
            return match (link.reset, link.fin) {
                (true, _) => Err(Trouble::Lost),
                (_, true) => Ok(0),
                _ => Err(Trouble::WouldBlock),
            };
        }
        if !link.told_end && self.rng.chance(self.faults.again) {
            self.plan_soon(Act::Wake(at));
            return Err(Trouble::WouldBlock);
        }
        let mut n = into.len().min(link.inbox.len());
        if self.rng.chance(self.faults.short) {
            n = self.rng.one_to(n).min(n);
        }
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

    fn send(&mut self, socket: &SimSocket, from: &[u8]) -> Result<usize, Trouble> {
        assert!(!from.is_empty(), "a send of nothing");
        self.interrupted()?;
        let at = socket.at();
        let link = &mut self.links[at];
        if link.reset || link.server_fin {
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
            self.plan_soon(Act::Wake(at));
            return Err(Trouble::WouldBlock);
        }
        let mut n = room.min(from.len());
        if self.rng.chance(self.faults.short) {
            n = self.rng.one_to(n).min(n);
        }
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

    fn shutdown(&mut self, socket: &SimSocket) {
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

    fn close(&mut self, socket: SimSocket, abort: bool) {
        let at = socket.at();
        let link = &mut self.links[at];
        assert!(link.held, "closed twice");
        link.held = false;
        let times = &mut self.clients[at].transcript.times;
        times.ended.get_or_insert(Instant(self.now));
        if let Some(token) = link.token.take()
            && self.rng.chance(self.faults.stale)
        {
            self.stale.push(Event {
                token,
                readable: true,
                writable: true,
                ended: true,
                broken: true,
            });
        }
        // To close with unread bytes is to reset, and the reset may overtake answers.
        if abort || !link.inbox.is_empty() {
            if abort || self.rng.chance(128) {
                link.outbox.clear();
            }
            let rest = link.outbox.drain(..);
            self.clients[at].transcript.received.extend(rest);
            self.clients[at].end(Ending::Reset);
        } else {
            link.server_fin = true;
            self.start_drain(at);
        }
    }

    fn stop_listening(&mut self) {
        self.listening = false;
        for at in self.backlog.drain(..) {
            self.clients[at].end(Ending::Refused);
        }
    }

    fn local(&self, _: &SimSocket) -> Option<Address> {
        let server = std::net::SocketAddr::from(([10, 0, 0, 2], 80));
        Some(Address::new(server))
    }

    fn now(&self) -> Instant {
        Instant(self.now)
    }
}
