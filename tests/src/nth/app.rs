//! The application, whose calls fail as well, and a driver with a bug.

use std::panic::resume_unwind;

use barewire::challenge::Challenge;
use barewire::{App, Context};
use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::connection::{BodyWriter, Done, Ending, Exchange, Fork, Inflow};
use barewire_core::driver::{Address, Completion, Driver, InFlight, Instant, PeerId, Slots};

use super::fault::{Call, Effect, Fuse};

/// The application of the server, in which one call panics.
pub(super) struct Fused<'a> {
    inner: &'a mut Challenge,
    fuse: Fuse,
    /// Whose request it was.
    struck: &'a std::cell::Cell<Option<PeerId>>,
}

impl<'a> Fused<'a> {
    pub(super) fn new(
        inner: &'a mut Challenge,
        fuse: Fuse,
        struck: &'a std::cell::Cell<Option<PeerId>>,
    ) -> Self {
        Fused {
            inner,
            fuse,
            struck,
        }
    }

    /// Without a word on standard error: thousands of them are planned.
    fn call<T>(
        &mut self,
        call: Call,
        peer: Option<PeerId>,
        work: impl FnOnce(&mut Challenge) -> T,
    ) -> T {
        let effect = self.fuse.pass(call);
        if effect.is_some() {
            self.struck.set(peer);
        }
        if effect == Some(Effect::Panic { answered: false }) {
            resume_unwind(Box::new("planned"));
        }
        let outcome = work(self.inner);
        if effect.is_some() {
            resume_unwind(Box::new("planned"));
        }
        outcome
    }
}

impl App for Fused<'_> {
    fn request(&mut self, context: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        // A call more that may fail; nothing depends on it.
        let _ = context.local_addr();
        let peer = Some(context.peer());
        self.call(Call::Handler, peer, |app| app.request(context, exchange))
    }

    fn resume(&mut self, context: &mut Context<'_>, exchange: Exchange<'_>) -> Done {
        let peer = Some(context.peer());
        // Behind the answer only: whoever is asked again drops its ticket, or keeps it for ever.
        self.call(Call::Notice, peer, |app| app.resume(context, exchange))
    }

    fn head(&mut self, context: &mut Context<'_>, fork: Fork<'_>) -> Done {
        let peer = Some(context.peer());
        self.call(Call::Handler, peer, |app| app.head(context, fork))
    }

    fn chunk(&mut self, context: &mut Context<'_>, inflow: &mut Inflow<'_>) {
        let peer = Some(context.peer());
        self.call(Call::Handler, peer, |app| app.chunk(context, inflow));
    }

    fn end(&mut self, context: &mut Context<'_>, ending: Ending<'_>) -> Done {
        let peer = Some(context.peer());
        self.call(Call::Handler, peer, |app| app.end(context, ending))
    }

    fn room(&mut self, context: &mut Context<'_>, writer: BodyWriter<'_>) -> Done {
        let peer = Some(context.peer());
        self.call(Call::Handler, peer, |app| app.room(context, writer))
    }

    fn gone(&mut self, context: &mut Context<'_>) {
        self.call(Call::Notice, None, |app| app.gone(context));
    }

    fn turn(&mut self) {
        self.call(Call::Notice, None, Challenge::turn);
    }

    fn sleep(&mut self) {
        self.call(Call::Notice, None, Challenge::sleep);
    }
}

/// A bug to be found: the proof that this test can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// None: the driver as it is.
    Nothing,
    /// Half a slot is lost when a connection breaks during a send.
    LostSlot,
    /// A connection that is to be reset keeps its socket.
    NotClosed,
    /// A connection that was accepted is forgotten at once, if it is not the first.
    NotServed,
}

/// A driver over a driver, with a bug.
pub(super) struct Buggy<D> {
    inner: D,
    bug: Planted,
}

impl<D: Driver> Buggy<D> {
    pub(super) fn new(inner: D, bug: Planted) -> Self {
        Buggy { inner, bug }
    }

    pub(super) fn inner_mut(&mut self) -> &mut D {
        &mut self.inner
    }

    pub(super) fn inner(&self) -> &D {
        &self.inner
    }
}

impl<D: Driver> Driver for Buggy<D> {
    type Error = D::Error;

    fn recv(&mut self, peer: PeerId, rx: Option<&'static mut RecvBuffer>) {
        self.inner.recv(peer, rx);
    }
    fn send(&mut self, peer: PeerId, tx: &'static mut SendBuffer) {
        self.inner.send(peer, tx);
    }
    fn send_now(
        &mut self,
        peer: PeerId,
        tx: &'static mut SendBuffer,
    ) -> Option<&'static mut SendBuffer> {
        self.inner.send_now(peer, tx)
    }
    fn send_later(&mut self, peer: PeerId, tx: &'static mut SendBuffer) {
        self.inner.send_later(peer, tx);
    }
    fn shutdown(&mut self, peer: PeerId) {
        self.inner.shutdown(peer);
    }
    fn cancel(&mut self, peer: PeerId) -> InFlight {
        self.inner.cancel(peer)
    }
    fn close(&mut self, peer: PeerId, abort: bool) -> InFlight {
        match self.bug == Planted::NotClosed && abort {
            true => self.inner.cancel(peer),
            false => self.inner.close(peer, abort),
        }
    }
    fn accepting(&mut self, yes: bool) {
        self.inner.accepting(yes);
    }
    fn wait(&mut self, slots: &mut Slots<'_>, until: Option<Instant>) -> Result<(), D::Error> {
        self.inner.wait(slots, until)
    }
    fn next(&mut self, slots: &mut Slots<'_>) -> Option<Completion> {
        let next = self.inner.next(slots)?;
        Some(match (self.bug, next) {
            (Planted::LostSlot, Completion::Lost { peer, rx, .. }) => {
                Completion::Lost { peer, rx, tx: None }
            }
            (Planted::NotServed, Completion::Accepted { peer, .. }) if peer.index > 0 => {
                return None;
            }
            (_, next) => next,
        })
    }
    fn now(&self) -> Instant {
        self.inner.now()
    }
    fn tick(&mut self) -> Instant {
        self.inner.tick()
    }
    fn local(&self, peer: PeerId) -> Option<Address> {
        self.inner.local(peer)
    }
    fn is_busy(&self) -> bool {
        self.inner.is_busy()
    }
}
