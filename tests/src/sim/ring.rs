//! The network as a ring of submissions and completions.
//!
//! A ring is a [`Driver`] as one over io_uring has to be, with a simulated ring in its middle.
//! Above it keeps the contract of the trait; below it submits operations, each with the buffer that
//! it works on, and reaps completions:
//!
//! ```text
//! recv(None) -> Poll --readable--> a slot is taken -> ReceiveOnce -> Received with the slot,
//!                                                     Ended, or Poll again (EAGAIN)
//! recv(rx) ---> Receive -> Received
//! send(tx) ---> Send --short--> Send the rest .. -> Sent
//! accepted ---> Watch -> Lost, once nothing is in flight
//! start ------> Accept -> Accepted, Accepted, .. until the ring ends it; then it is started again
//! ```
//!
//! What the ring does with an operation and when is the seed's choice: at once or later, and in any
//! order. A completion lies in the queue for a while before it is reaped; what is called back then
//! is done already, and the bytes count. `cancel` and `close` wait for the operations that hold
//! buffers, as they must (the kernel may still write), but not for the others: those complete
//! later, perhaps when their connection is closed and its place given to another one.

mod kernel;
mod reap;

use std::collections::VecDeque;
use std::convert::Infallible;

use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::driver::{
    Address, Completion, Driver, InFlight, Instant, PeerId, Slots, Trouble,
};

use super::client::Plan;
use super::faults::Faults;
use super::hap::Hap;
use super::net::{Net, SimSocket};
use super::task::{Done, Operation, Task, of};

/// Milliseconds without an accept after one that failed for want of something.
const BACKOFF_MS: u64 = 100;

/// One connection, as the driver knows it.
#[derive(Debug, Default)]
struct Place {
    generation: u32,
    socket: Option<SimSocket>,
    /// The worker has heard of it.
    known: bool,
    /// A receive without a buffer is in flight.
    waits: bool,
    /// The watch has told.
    broken: bool,
    lost: bool,
}

/// A simulated [`Driver`] that works by completions.
#[derive(Debug)]
pub struct Ring {
    net: Net,
    operations: Vec<Operation>,
    /// Done, not reaped.
    queue: Vec<Done>,
    made: u64,
    reaped: u64,
    places: Vec<Place>,
    free: Vec<u32>,
    /// To be reported.
    reports: VecDeque<Completion>,
    /// Receives for which there was no slot, first come first.
    starved: VecDeque<PeerId>,
    /// The accept for many is submitted.
    accepts: bool,
    /// It has ended, and that is in the queue.
    accept_ended: bool,
    accept_after: Option<Instant>,
    /// Accepted, but there was no place.
    surplus: VecDeque<(SimSocket, Address)>,
    accepting: bool,
    notified: bool,
    now: Instant,
}

impl Ring {
    /// A driver for at most `places` connections at once.
    pub(super) fn new(net: Net, places: usize) -> Ring {
        Ring {
            now: Instant(net.now),
            net,
            operations: Vec::new(),
            queue: Vec::new(),
            made: 0,
            reaped: 0,
            places: (0..places).map(|_| Place::default()).collect(),
            free: (0..places as u32).rev().collect(),
            reports: VecDeque::new(),
            starved: VecDeque::new(),
            accepts: false,
            accept_ended: false,
            accept_after: None,
            surplus: VecDeque::new(),
            accepting: true,
            notified: false,
        }
    }

    /// The same over a network of its own.
    pub fn with_faults(seed: u64, plans: Vec<Plan>, faults: Faults, places: usize) -> Ring {
        Ring::new(Net::new(seed, plans, faults, 0), places)
    }

    /// The network below.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// The network below, to steer.
    pub fn net_mut(&mut self) -> &mut Net {
        &mut self.net
    }

    fn place(&mut self, peer: PeerId) -> Option<&mut Place> {
        let place = self.places.get_mut(peer.index as usize)?;
        (place.generation == peer.generation && place.socket.is_some()).then_some(place)
    }

    fn wants_accept(&self) -> bool {
        self.accepting && !self.accepts && !self.free.is_empty()
    }

    fn admit(&mut self) {
        while let Some((socket, from)) = self.surplus.pop_front() {
            if !self.accepting {
                self.net.close(socket, true);
                continue;
            }
            let Some(index) = self.free.pop() else {
                self.surplus.push_front((socket, from));
                // No more for now; those that are on their way have to wait here.
                self.accepts = false;
                self.net.haps.note(Hap::AcceptedTooMany);
                return;
            };
            let place = &mut self.places[index as usize];
            let generation = place.generation;
            let peer = PeerId { index, generation };
            self.net.name(&socket, peer.to_word());
            *place = Place {
                generation,
                socket: Some(socket),
                ..Place::default()
            };
            self.submit(peer, Task::Watch);
            self.reports.push_back(Completion::Accepted { peer, from });
        }
        if self.wants_accept() && self.accept_after.is_none_or(|after| after <= self.now) {
            self.accept_after = None;
            self.accepts = true;
            self.work_accept();
        }
    }
}

impl Driver for Ring {
    type Error = Infallible;

    fn recv(&mut self, peer: PeerId, rx: Option<&'static mut RecvBuffer>) {
        let place = self.place(peer).expect("a receive for a closed connection");
        if place.lost {
            let tx = None;
            return self.reports.push_back(Completion::Lost { peer, rx, tx });
        }
        place.waits = rx.is_none();
        match rx {
            Some(rx) => self.submit(peer, Task::Receive(rx)),
            None => self.submit(peer, Task::Poll),
        }
    }

    fn send(&mut self, peer: PeerId, tx: &'static mut SendBuffer) {
        let place = self.place(peer).expect("a send to a closed connection");
        if place.lost {
            let (rx, tx) = (None, Some(tx));
            return self.reports.push_back(Completion::Lost { peer, rx, tx });
        }
        self.submit(peer, Task::Send(tx));
    }

    fn shutdown(&mut self, peer: PeerId) {
        let place = self.places.get(peer.index as usize);
        let place = place.filter(|place| place.generation == peer.generation);
        if let Some(socket) = place.and_then(|place| place.socket.as_ref()) {
            self.net.shutdown(socket);
        }
    }

    fn cancel(&mut self, peer: PeerId) -> InFlight {
        self.call_back(peer)
    }

    fn close(&mut self, peer: PeerId, abort: bool) -> InFlight {
        if self.place(peer).is_none() {
            return InFlight::default();
        }
        let home = self.call_back(peer);
        self.reports.retain(|report| of(report) != Some(peer));
        // The watch ends with the socket, and says so later.
        for at in (0..self.operations.len()).rev() {
            if self.operations[at].peer == peer {
                let Operation { task, .. } = self.operations.swap_remove(at);
                self.complete(peer, task, Err(Trouble::WouldBlock));
            }
        }
        let place = &mut self.places[peer.index as usize];
        let socket = place.socket.take();
        place.generation = place.generation.wrapping_add(1);
        self.free.push(peer.index);
        if let Some(socket) = socket {
            self.net.close(socket, abort);
        }
        home
    }

    fn accepting(&mut self, yes: bool) {
        if self.accepting && !yes {
            self.accepting = false;
            self.accepts = false;
            self.net.stop_listening();
            self.admit();
        }
    }

    fn wait(&mut self, slots: &mut Slots<'_>, until: Option<Instant>) -> Result<(), Infallible> {
        self.net.begin_turn();
        self.admit();
        let fed = slots.available() > 0 && !self.starved.is_empty();
        let accept = self.accept_after.filter(|_| self.wants_accept());
        let until = match (until, accept) {
            _ if fed || self.is_busy() => Some(self.now),
            (Some(until), Some(accept)) => Some(until.min(accept)),
            (until, accept) => until.or(accept),
        };
        loop {
            self.net.act_due();
            while let Some(socket) = self.net.pop_ready() {
                self.work(socket);
            }
            if std::mem::take(&mut self.net.listener_ready) {
                self.work_accept();
            }
            let admits = !self.surplus.is_empty() && !self.free.is_empty();
            let told = std::mem::take(&mut self.accept_ended);
            let there = !self.queue.is_empty() || admits || told || self.net.woken;
            if there || !self.net.pass_time(until) {
                break;
            }
        }
        self.now = Instant(self.net.now);
        if std::mem::take(&mut self.net.woken) {
            self.net.haps.note(Hap::Woken);
            self.notified = true;
        }
        while slots.available() > 0
            && let Some(peer) = self.starved.pop_front()
        {
            self.feed(peer, slots);
        }
        self.admit();
        // Some of them, in any order: the rest is reaped in the next turn.
        let all = self.queue.len();
        let most = match self.net.rng.below(4) {
            0 => self.net.rng.one_to(all),
            _ => all,
        };
        for _ in 0..most.min(all) {
            let at = self.net.rng.below(self.queue.len().min(all));
            if at < self.queue.len() {
                let done = self.queue.swap_remove(at);
                self.reap(done, slots);
            }
        }
        self.tell_broken();
        Ok(())
    }

    fn next(&mut self, _: &mut Slots<'_>) -> Option<Completion> {
        if std::mem::take(&mut self.notified) {
            return Some(Completion::Notified);
        }
        let report = self.reports.pop_front()?;
        if let Completion::Accepted { peer, .. } = report
            && let Some(place) = self.place(peer)
        {
            place.known = true;
        }
        Some(report)
    }

    fn now(&self) -> Instant {
        self.now
    }

    fn tick(&mut self) -> Instant {
        self.now = Instant(self.net.now);
        self.now
    }

    fn local(&self, _: PeerId) -> Option<Address> {
        Some(self.net.local())
    }

    fn is_busy(&self) -> bool {
        self.notified || !self.reports.is_empty() || !self.queue.is_empty()
    }
}
