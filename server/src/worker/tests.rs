//! How a worker ends connections, over a kernel that sends what it is told to.

mod fair;

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use barewire_core::connection::{Done, Exchange};
use barewire_core::driver::{Entry, Event, Kernel, LISTENER, Readiness, Trouble};
use barewire_core::wheel;
use barewire_core::wire::Status;

use super::*;
use crate::platform::Region;

/// Two clients connect. The system takes so many bytes of what is sent to them, and no more.
#[derive(Default)]
struct Deaf {
    now: u64,
    accepted: u32,
    room: usize,
    /// Who was closed, and whether with a reset.
    closed: Vec<(u32, bool)>,
}

#[derive(Clone, Default)]
struct Handle(Rc<RefCell<Deaf>>);

impl Kernel for Handle {
    type Socket = u32;
    type Error = Infallible;

    fn poll(&mut self, events: &mut [Event], until: Option<Instant>) -> Result<usize, Infallible> {
        let mut deaf = self.0.borrow_mut();
        if deaf.accepted == 0 {
            events[0] = Event {
                token: LISTENER,
                readable: true,
                ..Event::default()
            };
            return Ok(1);
        }
        deaf.now = deaf.now.max(until.expect("somebody waits for ever").0);
        Ok(0)
    }

    fn accept(&mut self) -> Result<(u32, Address), Trouble> {
        let mut deaf = self.0.borrow_mut();
        if deaf.accepted == 2 {
            return Err(Trouble::WouldBlock);
        }
        deaf.accepted += 1;
        Ok((deaf.accepted, Address::default()))
    }

    fn register(&mut self, _: &u32, _: u64) -> Result<(), Trouble> {
        Ok(())
    }

    fn recv(&mut self, _: &u32, _: &mut [u8]) -> Result<usize, Trouble> {
        Err(Trouble::WouldBlock)
    }

    fn send(&mut self, _: &u32, from: &[u8]) -> Result<usize, Trouble> {
        let mut deaf = self.0.borrow_mut();
        let taken = deaf.room.min(from.len());
        deaf.room -= taken;
        if taken == 0 {
            return Err(Trouble::WouldBlock);
        }
        Ok(taken)
    }

    fn shutdown(&mut self, _: &u32) {}

    fn close(&mut self, socket: u32, abort: bool) {
        self.0.borrow_mut().closed.push((socket, abort));
    }

    fn stop_listening(&mut self) {}

    fn local(&self, _: &u32) -> Option<Address> {
        None
    }

    fn now(&self) -> Instant {
        Instant(self.0.borrow().now)
    }
}

struct Nothing;

impl App for Nothing {
    fn request(&mut self, _: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        exchange.reply.bare(Status::OK)
    }
}

/// A worker with four places over a kernel, for as long as `go` wants it.
fn turns<K: Kernel, A: App>(
    kernel: K,
    app: A,
    open_max: usize,
    go: impl FnOnce(&mut Worker<'_, Readiness<'_, K>, A>),
) {
    let slots = Region::map(64 << 10).unwrap();
    let slots = slots.into_slots(16 << 10, 8 << 10).unwrap();
    let mut free = [const { None }; 4];
    let mut entries = [const { Entry::new() }; 4];
    let mut peers = [const { Peer::vacant() }; 4];
    let mut timers = [wheel::Entry::EMPTY; 4];
    let mut memory = Memory {
        peers: &mut peers,
        timers: &mut timers,
        slots: Slots::new(&mut free),
        deferred: VecDeque::with_capacity(4),
        waits: Waits::new(4),
    };
    slots.take(4).for_each(|slot| memory.slots.give(slot));
    let admission = Admission {
        open_max,
        per_address_max: u32::MAX,
        addresses: Arc::new(Addresses::new(4)),
    };
    let driver = Readiness::new(kernel, &mut entries);
    go(&mut Worker::new(
        driver,
        app,
        Limits::DEFAULT,
        memory,
        admission,
        || 0,
    ));
}

/// Two connections where one is allowed, until both are closed: how, when the refusal of the second
/// finds room for so many bytes.
fn closes(room: usize) -> Vec<(u32, bool)> {
    let kernel = Handle::default();
    kernel.0.borrow_mut().room = room;
    turns(kernel.clone(), Nothing, 1, |worker| {
        for _ in 0..10_000 {
            let Ok(_) = worker.turn(None);
            if worker.tally().connections == 2 && worker.open() == 0 {
                assert_eq!(worker.tally().refused, 1);
                return;
            }
        }
        panic!("it never ends");
    });
    kernel.0.borrow().closed.clone()
}

#[test]
fn a_refusal_that_cannot_be_sent_in_full_ends_with_a_reset() {
    // The other one never asks, and goes in silence.
    let mut ends = closes(10);
    ends.sort_unstable();
    assert_eq!(ends, [(1, false), (2, true)]);
}

#[test]
fn a_refusal_that_was_sent_ends_in_good_order() {
    let mut ends = closes(10_000);
    ends.sort_unstable();
    assert_eq!(ends, [(1, false), (2, false)]);
}
