//! A network of one board: what is sent comes back, through frames that lie in static memory.

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

/// Bytes of a packet: its headers and 256 of TCP.
pub(crate) const MTU: usize = 296;
/// Packets under way at most; beyond them the network is busy, and TCP sends again later.
const FRAMES: usize = 6;

/// Packets in the order in which they were sent.
pub(crate) struct Loopback {
    frames: [[u8; MTU]; FRAMES],
    lengths: [usize; FRAMES],
    first: usize,
    used: usize,
}

impl Loopback {
    pub(crate) const fn new() -> Self {
        Loopback {
            frames: [[0; MTU]; FRAMES],
            lengths: [0; FRAMES],
            first: 0,
            used: 0,
        }
    }
}

/// A packet that was taken out of the queue: a copy, as the answer to it may need its place.
pub(crate) struct Received {
    frame: [u8; MTU],
    length: usize,
}

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.frame.get(..self.length).unwrap_or_default())
    }
}

/// A free place.
pub(crate) struct Free<'d>(&'d mut Loopback);

impl TxToken for Free<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let at = (self.0.first + self.0.used) % FRAMES;
        self.0.used += 1;
        self.0.lengths[at] = length;
        write(&mut self.0.frames[at][..length])
    }
}

impl Device for Loopback {
    type RxToken<'d> = Received;
    type TxToken<'d> = Free<'d>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Free<'_>)> {
        if self.used == 0 {
            return None;
        }
        let packet = Received {
            frame: self.frames[self.first],
            length: self.lengths[self.first],
        };
        self.first = (self.first + 1) % FRAMES;
        self.used -= 1;
        Some((packet, Free(self)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Free<'_>> {
        (self.used < FRAMES).then_some(Free(self))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = MTU;
        capabilities
    }
}
