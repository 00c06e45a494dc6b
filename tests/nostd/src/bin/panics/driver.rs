//! Readiness turned into completions, over a kernel of which nothing is known.

use core::hint::black_box;
use core::num::NonZeroU32;

use barewire_core::driver::{
    Address, Driver, Entry, Event, Instant, Kernel, PeerId, Readiness, Slots, Trouble, Turn, relay,
};

use super::entry;

pub(crate) type Ready = Readiness<'static, Unknown>;

pub(crate) fn entries() {
    entries!(0: Entry::<NonZeroU32>::new, Entry::<NonZeroU32>::default);
    entries!(1: Instant::millis, Instant::from_millis, PeerId::to_word, PeerId::from_word);
    entries!(2: Instant::nanos_since, relay);
    entries!(1: Turn::of, Turn::word);
    entries!(1: Address::new, Address::socket_addr);
    entries!(1: Slots::new, Slots::take, Slots::take_reserved, Slots::available);
    entries!(1: Slots::free, Slots::capacity);
    entries!(2: Slots::reserve, Slots::give);
    entries!(2: Ready::new);
    entries!(1: Ready::kernel, Ready::kernel_mut, drop::<Ready>);
    entries!(3: <Ready as Driver>::recv, <Ready as Driver>::send, <Ready as Driver>::close);
    entries!(2: <Ready as Driver>::shutdown, <Ready as Driver>::cancel);
    entries!(2: <Ready as Driver>::accepting, <Ready as Driver>::local);
    entries!(3: <Ready as Driver>::wait);
    entries!(2: <Ready as Driver>::next);
    entries!(3: <Ready as Driver>::send_now, <Ready as Driver>::send_later);
    entries!(1: <Ready as Driver>::now, <Ready as Driver>::tick);
    entries!(1: <Ready as Driver>::is_busy);
}

/// Answers anything that its types allow.
pub(crate) struct Unknown;

/// A value of which the compiler knows nothing; the first is only there to have one.
fn any<T>(first: T) -> T {
    black_box(first)
}

impl Kernel for Unknown {
    type Socket = NonZeroU32;
    type Error = u32;

    fn poll(&mut self, events: &mut [Event], until: Option<Instant>) -> Result<usize, u32> {
        black_box((events, until));
        any(Ok(0))
    }

    fn accept(&mut self) -> Result<(NonZeroU32, Address), Trouble> {
        any(Err(Trouble::WouldBlock))
    }

    fn register(&mut self, socket: &NonZeroU32, token: u64) -> Result<(), Trouble> {
        black_box((socket, token));
        any(Ok(()))
    }

    fn recv(&mut self, socket: &NonZeroU32, into: &mut [u8]) -> Result<usize, Trouble> {
        black_box((socket, into));
        any(Ok(0))
    }

    fn send(&mut self, socket: &NonZeroU32, from: &[u8]) -> Result<usize, Trouble> {
        black_box((socket, from));
        any(Ok(0))
    }

    fn shutdown(&mut self, socket: &NonZeroU32) {
        black_box(socket);
    }

    fn close(&mut self, socket: NonZeroU32, abort: bool) {
        black_box((socket, abort));
    }

    fn stop_listening(&mut self) {
        black_box(&self);
    }

    fn local(&self, socket: &NonZeroU32) -> Option<Address> {
        black_box(socket);
        any(None)
    }

    fn now(&self) -> Instant {
        any(Instant(0))
    }
}
