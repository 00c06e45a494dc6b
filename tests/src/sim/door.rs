//! A thread that accepts for the worker: the product's acceptor and its ring, on the same network.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use barewire::handoff::{self, Acceptor, Round, Wake, ring_of};
use barewire_core::driver::{Address, Event, Instant, Kernel, LISTENER, Trouble};

use super::faults::Faults;
use super::hap::Hap;
use super::net::{Net, SimSocket};
use super::strict::{aside, strict};

/// Nanoseconds after which a thread that has more to do is on the processor again.
const NEXT_NANOS: u64 = 1_000;

/// The acceptor, and the network while it is at work.
#[derive(Debug)]
pub(super) struct Door {
    acceptor: Acceptor<Listening, Bell>,
    shared: Arc<Mutex<Shared>>,
    bell: Bell,
    /// It has to look up.
    pub(super) is_due: bool,
    /// The ring was full when it looked last.
    is_full: bool,
}

/// Rung by the acceptor when something is in the ring.
#[derive(Clone, Debug, Default)]
struct Bell(Arc<AtomicBool>);

impl Wake for Bell {
    fn wake(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Shared {
    /// Lent by the network itself for each turn; one without anything else.
    net: Net,
    /// How long the acceptor would have waited.
    until: Option<Instant>,
    /// An edge was told to it.
    told: bool,
}

/// The acceptor's kernel: the listener of the network, and nothing else.
#[derive(Debug)]
struct Listening(Arc<Mutex<Shared>>);

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Door {
    /// An acceptor, and the worker's end of its ring of so many places.
    pub(super) fn new(places: usize) -> (Box<Door>, handoff::Door<SimSocket>) {
        let shared = Arc::new(Mutex::new(Shared {
            net: Net::new(0, Vec::new(), Faults::NONE, 0),
            until: None,
            told: false,
        }));
        let bell = Bell::default();
        let (gate, inner) = ring_of(places, bell.clone());
        let door = Door {
            acceptor: Acceptor::new(Listening(shared.clone()), vec![gate]),
            shared,
            bell,
            is_due: true,
            is_full: false,
        };
        (Box::new(door), inner)
    }

    fn swap(&self, net: &mut Net) {
        std::mem::swap(&mut lock(&self.shared).net, net);
    }

    /// One turn of the acceptor. `None`: it has ended.
    pub(super) fn turn(mut self: Box<Self>, net: &mut Net) -> Option<Box<Door>> {
        self.swap(net);
        let product = strict();
        let Ok(round) = self.acceptor.turn();
        drop(product);
        self.swap(net);
        let until = lock(&self.shared).until.take();
        // It heard of something at the end of its turn.
        self.is_due = std::mem::take(&mut lock(&self.shared).told);
        self.is_full = round == Round::Full;
        if self.bell.0.swap(false, Ordering::Relaxed) {
            net.haps.note(Hap::HandedOver);
            net.wake_worker();
        }
        match round {
            Round::Idle => {}
            // Nothing changes until the worker takes one: see `taken`.
            Round::Full => net.haps.note(Hap::RingFull),
            Round::More => net.plan_door(NEXT_NANOS),
            Round::Short => net.plan_door(until.map_or(0, |until| until.0.saturating_sub(net.now))),
            Round::Alone => {
                (*self).end(net);
                return None;
            }
        }
        Some(self)
    }

    /// The worker took one out of the ring. Whoever found it full looks up every millisecond; all
    /// looks but the next one would change nothing.
    pub(super) fn taken(&mut self, net: &mut Net) {
        if std::mem::take(&mut self.is_full) {
            let nanos = net.rng.below(1_000_000) as u64;
            net.plan_door(nanos);
        }
    }

    /// The server stops: it listens no more.
    pub(super) fn end(self, net: &mut Net) {
        self.swap(net);
        let Door {
            acceptor, shared, ..
        } = self;
        acceptor.end();
        std::mem::swap(&mut lock(&shared).net, net);
    }
}

impl Kernel for Listening {
    type Socket = SimSocket;
    type Error = std::convert::Infallible;

    /// Never waits: who runs when is the network's business.
    fn poll(&mut self, events: &mut [Event], until: Option<Instant>) -> Result<usize, Self::Error> {
        let _aside = aside();
        let mut shared = lock(&self.0);
        shared.until = until;
        let told = std::mem::take(&mut shared.net.listener_ready);
        shared.told = told;
        if told && let Some(first) = events.first_mut() {
            *first = Event {
                token: LISTENER,
                readable: true,
                ..Event::default()
            };
        }
        Ok(usize::from(told))
    }

    fn accept(&mut self) -> Result<handoff::Arrival<SimSocket>, Trouble> {
        let _aside = aside();
        lock(&self.0).net.accept()
    }

    fn register(&mut self, _: &SimSocket, _: u64) -> Result<(), Trouble> {
        Err(Trouble::Other(0))
    }

    fn recv(&mut self, _: &SimSocket, _: &mut [u8]) -> Result<usize, Trouble> {
        Err(Trouble::Other(0))
    }

    fn send(&mut self, _: &SimSocket, _: &[u8]) -> Result<usize, Trouble> {
        Err(Trouble::Other(0))
    }

    fn shutdown(&mut self, _: &SimSocket) {}

    fn close(&mut self, socket: SimSocket, abort: bool) {
        let _aside = aside();
        lock(&self.0).net.close(socket, abort);
    }

    fn stop_listening(&mut self) {
        lock(&self.0).net.stop_listening();
    }

    fn local(&self, _: &SimSocket) -> Option<Address> {
        None
    }

    fn now(&self) -> Instant {
        Instant(lock(&self.0).net.now)
    }
}
