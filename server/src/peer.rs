//! One connection, as the worker keeps it.

use std::mem::offset_of;

use barewire_core::buffer::{RecvBuffer, SendBuffer, Slot};
use barewire_core::connection::{Connection, Deadline};
use barewire_core::driver::{Address, InFlight, PeerId};

/// A connection's entry in the worker's table. An idle one holds no buffers.
///
/// In the order in which a request touches it: what the protocol knows, then what the worker lends;
/// where the connection comes from is asked for by few. Not aligned to the lines of the cache: 8
/// bytes more for each idle connection were not worth the third line that some entries reach into.
#[derive(Debug)]
#[repr(C)]
pub struct Peer {
    pub(crate) connection: Connection,
    pub(crate) deadline: Deadline,
    /// The application's word for the request at hand.
    pub(crate) route: u16,
    pub(crate) rx: Option<&'static mut RecvBuffer>,
    pub(crate) tx: Option<&'static mut SendBuffer>,
    generation: u32,
    pub(crate) state: State,
    pub(crate) from: Address,
}

// What a request touches is a line and a half (smaller pointers make it less).
const _: () = assert!(offset_of!(Peer, connection) == 0);
const _: () = assert!(offset_of!(Peer, rx) <= 64);
const _: () = assert!(offset_of!(Peer, from) <= 104);

/// What the worker has to remember of a connection besides its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No connection here.
    Vacant,
    Open,
    /// One too many: it is told so, and counts for no limit.
    Refused,
    /// Its exchange is deferred, and the connection waits in the worker's list for it.
    Deferred,
}

impl Peer {
    /// A place without a connection.
    pub const fn vacant() -> Peer {
        Peer {
            connection: Connection::new(),
            rx: None,
            tx: None,
            deadline: Deadline::new(),
            generation: 0,
            route: 0,
            state: State::Vacant,
            from: Address {
                ip: [0; 16],
                port: [0; 2],
            },
        }
    }

    /// Makes the place that of a new connection.
    pub(crate) fn open(&mut self, id: PeerId, from: Address) {
        *self = Peer {
            generation: id.generation,
            state: State::Open,
            from,
            ..Peer::vacant()
        };
    }

    pub(crate) fn is(&self, id: PeerId) -> bool {
        self.state != State::Vacant && self.generation == id.generation
    }

    pub(crate) fn id(&self, index: u32) -> PeerId {
        PeerId {
            index,
            generation: self.generation,
        }
    }

    /// The buffers, if it holds both.
    pub(crate) fn slot(&mut self) -> Option<Slot> {
        match (self.rx.take(), self.tx.take()) {
            (Some(rx), Some(tx)) => Some(Slot { rx, tx }),
            (rx, tx) => {
                self.rx = rx;
                self.tx = tx;
                None
            }
        }
    }

    pub(crate) fn put(&mut self, slot: Slot) {
        self.rx = Some(slot.rx);
        self.tx = Some(slot.tx);
    }

    /// Takes home what was in flight.
    pub(crate) fn land(&mut self, in_flight: InFlight) {
        if in_flight.rx.is_some() {
            self.rx = in_flight.rx;
        }
        if in_flight.tx.is_some() {
            self.tx = in_flight.tx;
        }
    }
}

// The worker's share of what an idle connection costs.
const _: () = assert!(size_of::<Peer>() <= 120);
