//! What a run needs around the worker: memory, the application, and a way to ask it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use barewire::challenge::{Board, Challenge, Options};
use barewire::{Addresses, Admission, App, Context, Memory, Peer, Waits, Worker};
use barewire_core::buffer::{RecvBuffer, SendBuffer, Slot};
use barewire_core::connection::{BodyWriter, Done, Ending as BodyEnd, Exchange, Fork, Inflow};
use barewire_core::driver::{Entry, Readiness, Slots};
use barewire_core::limits::Limits;
use barewire_core::wheel;

use super::client::{Plan, Step};
use super::contract::Checked;
use super::faults::Faults;
use super::kernel::{SimKernel, SimSocket};
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
        let kernel = SimKernel::with_faults(0, vec![plan], Faults::NONE);
        let mut props = Props::new(1, 1, SHAPES.len() - 1, self);
        let mut worker = props.worker(kernel, &mut self.app, Limits::DEFAULT, 1, u32::MAX);
        while !worker.driver().inner().kernel().is_idle() {
            let Ok(_) = worker.turn(None);
        }
        let kernel = worker.driver().inner().kernel();
        let received = kernel.transcripts().next().map(|t| t.received.clone());
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

pub(crate) type Work<'m> = Worker<'m, Checked<Readiness<'m, SimKernel>>, Lent<'m>>;

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
        kernel: SimKernel,
        app: &'m mut Challenge,
        limits: Limits,
        open_max: usize,
        per_address_max: u32,
    ) -> Work<'m> {
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
        let driver = Checked::new(Readiness::new(kernel, &mut self.entries));
        let unix_time = || 1_800_000_000;
        Worker::new(driver, Lent(app), limits, memory, admission, unix_time)
    }

    /// Puts the slots back for the next run.
    pub(crate) fn strike(self, stage: &mut Stage) {
        let slots = self.places.into_iter().flatten();
        stage.pools[self.shape].extend(slots);
    }
}

/// An application that outlives its worker.
pub(crate) struct Lent<'a>(&'a mut Challenge);

impl App for Lent<'_> {
    fn request(&mut self, context: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        self.0.request(context, exchange)
    }
    fn resume(&mut self, context: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        self.0.resume(context, exchange)
    }
    fn head(&mut self, context: &mut Context<'_>, fork: Fork<'_>) -> Done {
        self.0.head(context, fork)
    }
    fn chunk(&mut self, context: &mut Context<'_>, inflow: &mut Inflow<'_>) {
        self.0.chunk(context, inflow);
    }
    fn end(&mut self, context: &mut Context<'_>, ending: BodyEnd<'_>) -> Done {
        self.0.end(context, ending)
    }
    fn room(&mut self, context: &mut Context<'_>, writer: BodyWriter<'_>) -> Done {
        self.0.room(context, writer)
    }
    fn gone(&mut self, context: &mut Context<'_>) {
        self.0.gone(context);
    }
    fn turn(&mut self) {
        self.0.turn();
    }
    fn sleep(&mut self) {
        self.0.sleep();
    }
}
