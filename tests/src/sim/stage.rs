//! What a run needs around the worker: memory, the application, and a way to ask it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use barewire::challenge::{Board, Challenge, Options};
use barewire::{Addresses, Admission, App, Memory, Peer, Waits, Worker};
use barewire_core::buffer::{RecvBuffer, SendBuffer, Slot};
use barewire_core::driver::{Entry, Slots};
use barewire_core::limits::Limits;
use barewire_core::wheel;

use super::client::{Plan, Step};
use super::contract::Checked;
use super::faults::Faults;
use super::later::{Later, Lent};
use super::net::{Net, SimSocket};
use super::seam::{Either, Seam};
use crate::conformance::{Observation, Response, State};

/// Bytes of the two parts of a slot: the smallest that there may be, and up to the usual.
pub(crate) const SHAPES: [(usize, usize); 3] = [(1024, 1024), (2048, 1024), (8192, 8192)];

/// Connections that the counts of addresses have room for: so many that no two addresses share
/// theirs, whatever their hashes are.
const ADDRESSES: usize = 10_000;

thread_local! {
    /// What lives as long as its process, and so is used again by every run of this thread.
    pub(crate) static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// The application, and slots of every shape.
pub(crate) struct Stage {
    pub(crate) app: Challenge,
    pub(crate) later: Later,
    /// That of another worker.
    pub(crate) other: Challenge,
    pools: [Vec<Slot>; SHAPES.len()],
}

impl Stage {
    pub(crate) fn new() -> Stage {
        let board = Board::new(Options::default(), 2).expect("there is memory");
        let (app, mut other) = (board.worker(0), board.worker(1));
        other.sleep();
        Stage {
            app,
            later: Later::default(),
            other,
            pools: Default::default(),
        }
    }

    fn slot(&mut self, shape: usize) -> Slot {
        self.pools[shape].pop().unwrap_or_else(|| match shape {
            0 => slot::<1024, 1024>(),
            1 => slot::<2048, 1024>(),
            _ => slot::<8192, 8192>(),
        })
    }

    /// Asks for one thing, by a kernel without faults and a worker of its own.
    fn ask(&mut self, request: &str) -> Result<Response, String> {
        let plan = Plan::new([Step::Send(request.into()), Step::HalfClose]);
        let net = Net::new(0, vec![plan], Faults::NONE, 0);
        let mut props = Props::new(1, 1, SHAPES.len() - 1, self);
        let app = Lent {
            app: &mut self.app,
            later: &mut self.later,
        };
        let mut worker = props.worker(Entrance::plain(1), net, app, Limits::DEFAULT);
        while !worker.driver().inner().net().is_idle() {
            let Ok(_) = worker.turn(None);
        }
        let net = worker.driver().inner().net();
        let received = net.transcripts().next().map(|t| t.received.clone());
        drop(worker);
        props.strike(self);
        let received = received.unwrap_or_default();
        let seen = Observation::from_bytes(&received, State::Closed, &[]);
        match seen.finals.into_iter().next() {
            Some(response) if response.status == 200 => Ok(response),
            other => Err(format!("{request}: {other:?}")),
        }
    }

    pub(crate) fn reset(&mut self) -> Result<(), String> {
        self.ask("POST /reset HTTP/1.1\r\nHost: a\r\n\r\n")
            .map(drop)
    }

    pub(crate) fn statistics(&mut self) -> Result<Response, String> {
        self.ask("GET /stats HTTP/1.1\r\nHost: a\r\n\r\n")
    }
}

fn slot<const R: usize, const S: usize>() -> Slot {
    Slot {
        rx: Box::leak(Box::new(RecvBuffer::<[u8; R]>::new())),
        tx: Box::leak(Box::new(SendBuffer::<[u8; S]>::new())),
    }
}

/// The memory of one worker.
pub(crate) struct Props {
    entries: Vec<Entry<SimSocket>>,
    peers: Vec<Peer>,
    timers: Vec<wheel::Entry>,
    places: Vec<Option<Slot>>,
    fresh: Vec<Slot>,
    shape: usize,
}

/// How connections come to a worker, and which of them are let in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entrance {
    pub(crate) seam: Seam,
    /// Places of the ring from a thread that accepts, if there is one.
    pub(crate) ring_places: Option<usize>,
    pub(crate) open_max: usize,
    pub(crate) per_address_max: u32,
}

impl Entrance {
    /// By readiness, whoever comes first.
    pub(crate) fn plain(open_max: usize) -> Entrance {
        Entrance {
            seam: Seam::Readiness,
            ring_places: None,
            open_max,
            per_address_max: u32::MAX,
        }
    }
}

pub(crate) type Work<'m> = Worker<'m, Checked<Either<'m>>, Lent<'m>>;

impl Props {
    pub(crate) fn new(places: usize, slots: usize, shape: usize, stage: &mut Stage) -> Props {
        Props {
            entries: (0..places).map(|_| Entry::new()).collect(),
            peers: (0..places).map(|_| Peer::vacant()).collect(),
            timers: vec![wheel::Entry::EMPTY; places],
            places: (0..slots).map(|_| None).collect(),
            fresh: (0..slots).map(|_| stage.slot(shape)).collect(),
            shape,
        }
    }

    pub(crate) fn worker<'m>(
        &'m mut self,
        entrance: Entrance,
        net: Net,
        app: Lent<'m>,
        limits: Limits,
    ) -> Work<'m> {
        let Entrance {
            seam,
            ring_places,
            open_max,
            per_address_max,
        } = entrance;
        let deferred = VecDeque::with_capacity(self.peers.len());
        let waits = Waits::new(self.places.len());
        let admission = Admission {
            open_max,
            per_address_max,
            addresses: Arc::new(Addresses::new(ADDRESSES)),
        };
        let mut slots = Slots::new(&mut self.places);
        self.fresh.drain(..).for_each(|slot| slots.give(slot));
        let memory = Memory {
            peers: &mut self.peers,
            timers: &mut self.timers,
            slots,
            deferred,
            waits,
        };
        let driver = Either::new(seam, ring_places, net, &mut self.entries);
        let driver = Checked::new(driver, open_max, per_address_max);
        let unix_time = || 1_800_000_000;
        Worker::new(driver, app, limits, memory, admission, unix_time)
    }

    /// Puts the slots back for the next run.
    pub(crate) fn strike(self, stage: &mut Stage) {
        let slots = self.places.into_iter().flatten();
        stage.pools[self.shape].extend(slots);
    }
}
