//! The ways to a network: readiness turned into completions by the product, over either kind of
//! readiness, or a ring.

use std::convert::Infallible;

use barewire::handoff::Handed;
use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::driver::{
    Address, Completion, Driver, Entry, InFlight, Instant, PeerId, Readiness, Slots,
};

use super::door::Door;
use super::kernel::SimKernel;
use super::kqueue::SimKqueue;
use super::net::{Net, SimSocket};
use super::ring::Ring;
use super::strict::aside;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seam {
    /// The product's [`Readiness`] over [`SimKernel`], whose edges are epoll's.
    Readiness,
    /// The product's [`Readiness`] and its adaptor for kqueue, over [`SimKqueue`].
    Kqueue,
    /// [`Ring`].
    Ring,
}

impl Seam {
    /// All of them, in order.
    pub const ALL: [Seam; 3] = [Seam::Readiness, Seam::Kqueue, Seam::Ring];
}

/// A driver of any kind. One type, so that one worker is compiled for all.
#[derive(Debug)]
pub enum Either<'m> {
    /// The product's own, over a simulated kernel.
    Readiness(Readiness<'m, SimKernel>),
    /// The same, and the product's acceptor in front of it.
    HandedReadiness(Readiness<'m, Handed<SimKernel>>),
    /// The product's own, over its adaptor for kqueue.
    Kqueue(Readiness<'m, SimKqueue>),
    /// The same, and the product's acceptor in front of it.
    HandedKqueue(Readiness<'m, Handed<SimKqueue>>),
    /// All simulated.
    Ring(Ring),
}

impl<'m> Either<'m> {
    /// With a ring of so many places from a thread that accepts, if there is one. (A completion
    /// driver has no such thread.)
    pub(super) fn new(
        seam: Seam,
        ring_places: Option<usize>,
        mut net: Net,
        entries: &'m mut [Entry<SimSocket>],
    ) -> Either<'m> {
        let mut door = || {
            let (door, arrivals) = Door::new(ring_places?);
            net.door = Some(door);
            Some(arrivals)
        };
        match (seam, door()) {
            (Seam::Readiness, None) => {
                Either::Readiness(Readiness::new(SimKernel::over(net), entries))
            }
            (Seam::Readiness, Some(arrivals)) => {
                let kernel = Handed::new(SimKernel::over(net), arrivals);
                Either::HandedReadiness(Readiness::new(kernel, entries))
            }
            (Seam::Kqueue, None) => Either::Kqueue(Readiness::new(SimKqueue::over(net), entries)),
            (Seam::Kqueue, Some(arrivals)) => {
                let kernel = Handed::new(SimKqueue::over(net), arrivals);
                Either::HandedKqueue(Readiness::new(kernel, entries))
            }
            (Seam::Ring, _) => {
                net.door = None;
                Either::Ring(Ring::new(net, entries.len()))
            }
        }
    }

    /// The network below.
    pub fn net(&self) -> &Net {
        match self {
            Either::Readiness(driver) => driver.kernel(),
            Either::HandedReadiness(driver) => driver.kernel().inner(),
            Either::Kqueue(driver) => driver.kernel().net(),
            Either::HandedKqueue(driver) => driver.kernel().inner().net(),
            Either::Ring(ring) => ring.net(),
        }
    }
}

/// The same of whichever it is.
macro_rules! either {
    ($self:ident, $driver:ident => $call:expr) => {
        match $self {
            Either::Readiness($driver) => $call,
            Either::HandedReadiness($driver) => $call,
            Either::Kqueue($driver) => $call,
            Either::HandedKqueue($driver) => $call,
            Either::Ring($driver) => {
                let _aside = aside();
                $call
            }
        }
    };
}

impl Driver for Either<'_> {
    type Error = Infallible;

    fn recv(&mut self, peer: PeerId, rx: Option<&'static mut RecvBuffer>) {
        either!(self, driver => driver.recv(peer, rx));
    }
    fn send(&mut self, peer: PeerId, tx: &'static mut SendBuffer) {
        either!(self, driver => driver.send(peer, tx));
    }
    fn send_now(
        &mut self,
        peer: PeerId,
        tx: &'static mut SendBuffer,
    ) -> Option<&'static mut SendBuffer> {
        either!(self, driver => driver.send_now(peer, tx))
    }
    fn send_later(&mut self, peer: PeerId, tx: &'static mut SendBuffer) {
        either!(self, driver => driver.send_later(peer, tx));
    }
    fn shutdown(&mut self, peer: PeerId) {
        either!(self, driver => driver.shutdown(peer));
    }
    fn cancel(&mut self, peer: PeerId) -> InFlight {
        either!(self, driver => driver.cancel(peer))
    }
    fn close(&mut self, peer: PeerId, abort: bool) -> InFlight {
        either!(self, driver => driver.close(peer, abort))
    }
    fn accepting(&mut self, yes: bool) {
        either!(self, driver => driver.accepting(yes));
    }
    fn wait(&mut self, slots: &mut Slots<'_>, until: Option<Instant>) -> Result<(), Infallible> {
        either!(self, driver => driver.wait(slots, until))
    }
    fn next(&mut self, slots: &mut Slots<'_>) -> Option<Completion> {
        either!(self, driver => driver.next(slots))
    }
    fn now(&self) -> Instant {
        either!(self, driver => driver.now())
    }
    fn tick(&mut self) -> Instant {
        either!(self, driver => driver.tick())
    }
    fn local(&self, peer: PeerId) -> Option<Address> {
        either!(self, driver => driver.local(peer))
    }
    fn is_busy(&self) -> bool {
        either!(self, driver => driver.is_busy())
    }
}
