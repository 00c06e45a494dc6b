//! Either way to a network: readiness turned into completions by the product, or a ring.

use std::convert::Infallible;

use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::driver::{
    Address, Completion, Driver, Entry, InFlight, Instant, PeerId, Readiness, Slots,
};

use super::kernel::SimKernel;
use super::net::{Net, SimSocket};
use super::ring::Ring;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seam {
    /// The product's [`Readiness`] over [`SimKernel`].
    Readiness,
    /// [`Ring`].
    Ring,
}

/// A driver of either kind. One type, so that one worker is compiled for both.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one in each run")]
pub enum Either<'m> {
    /// The product's own, over a simulated kernel.
    Readiness(Readiness<'m, SimKernel>),
    /// All simulated.
    Ring(Ring),
}

impl<'m> Either<'m> {
    pub(super) fn new(seam: Seam, net: Net, entries: &'m mut [Entry<SimSocket>]) -> Either<'m> {
        match seam {
            Seam::Readiness => Either::Readiness(Readiness::new(SimKernel::over(net), entries)),
            Seam::Ring => Either::Ring(Ring::new(net, entries.len())),
        }
    }

    /// The network below.
    pub fn net(&self) -> &Net {
        match self {
            Either::Readiness(driver) => driver.kernel(),
            Either::Ring(ring) => ring.net(),
        }
    }
}

/// The same of whichever it is.
macro_rules! either {
    ($self:ident, $driver:ident => $call:expr) => {
        match $self {
            Either::Readiness($driver) => $call,
            Either::Ring($driver) => $call,
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
