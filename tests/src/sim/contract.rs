//! The contract between a worker and its driver, checked from the middle.

use std::collections::HashMap;

use barewire_core::buffer::{RecvBuffer, SendBuffer};
use barewire_core::driver::{Address, Completion, Driver, InFlight, Instant, PeerId, Slots};

use super::strict::aside;
use super::turnstile::Turnstile;

/// A driver that panics as soon as the worker above it or the driver below it breaks the contract
/// of [`Driver`]: names of closed connections, completions that nobody asked for, buffers that come
/// home to somebody else.
///
/// Stricter than the contract in one point, because the worker is: it never has a receive and a
/// send in flight at once, so no receive can take away bytes that a finished send has to go on
/// with.
#[derive(Debug)]
pub struct Checked<D> {
    inner: D,
    flights: HashMap<u32, Flight>,
    /// Which open connection holds the buffer at this address.
    owners: HashMap<usize, u32>,
    cancels: u64,
    turnstile: Turnstile,
}

/// What one open connection has in flight.
#[derive(Debug)]
struct Flight {
    generation: u32,
    receiving: bool,
    sending: bool,
    rx: Option<usize>,
    tx: Option<usize>,
}

fn at<T: ?Sized>(buffer: &T) -> usize {
    core::ptr::from_ref(buffer).addr()
}

impl<D> Checked<D> {
    /// Nothing is open yet. The worker lets in so many connections, and so many of one address.
    pub fn new(inner: D, open_max: usize, per_address_max: u32) -> Checked<D> {
        Checked {
            inner,
            flights: HashMap::new(),
            owners: HashMap::new(),
            cancels: 0,
            turnstile: Turnstile::new(open_max, per_address_max),
        }
    }

    /// The driver below.
    pub fn inner(&self) -> &D {
        &self.inner
    }

    /// How often something in flight was called back.
    pub fn cancels(&self) -> u64 {
        self.cancels
    }

    /// Connections that the worker had to refuse; those that only their address stood against.
    pub fn refused(&self) -> (u64, u64) {
        self.turnstile.refused()
    }

    fn flight(&mut self, peer: PeerId) -> &mut Flight {
        let flight = self.flights.get_mut(&peer.index);
        let flight = flight.unwrap_or_else(|| panic!("{peer:?} is not open"));
        assert_eq!(flight.generation, peer.generation, "{peer:?} is closed");
        flight
    }

    /// Notes that `peer` holds this buffer, as before if it held one.
    fn own(&mut self, peer: PeerId, rx: Option<usize>, tx: Option<usize>) {
        for address in [rx, tx].into_iter().flatten() {
            let owner = *self.owners.entry(address).or_insert(peer.index);
            assert_eq!(owner, peer.index, "somebody else's buffer");
        }
        let flight = self.flight(peer);
        for (held, now) in [(&mut flight.rx, rx), (&mut flight.tx, tx)] {
            if let Some(now) = now {
                assert_eq!(*held.get_or_insert(now), now, "another buffer");
            }
        }
    }

    fn disown(&mut self, peer: PeerId) {
        let flight = self.flight(peer);
        for address in [flight.rx.take(), flight.tx.take()].into_iter().flatten() {
            self.owners.remove(&address);
        }
    }

    fn land(&mut self, peer: PeerId, in_flight: &InFlight) {
        let rx = in_flight.rx.as_deref().map(at);
        self.home(peer, (rx, in_flight.tx.as_deref().map(at)));
    }

    /// All that was in flight has come home.
    fn home(&mut self, peer: PeerId, (rx, tx): (Option<usize>, Option<usize>)) {
        let flight = self.flight(peer);
        if flight.receiving && flight.rx.is_some() {
            assert!(rx.is_some(), "the buffer of a receive was lost");
        }
        assert!(
            !flight.sending || tx.is_some(),
            "the buffer of a send was lost"
        );
        flight.receiving = false;
        flight.sending = false;
        self.own(peer, rx, tx);
    }

    fn check(&mut self, completion: &Completion) {
        match completion {
            Completion::Accepted { peer, from } => {
                self.turnstile.comes(*peer, *from);
                let flight = Flight {
                    generation: peer.generation,
                    receiving: false,
                    sending: false,
                    rx: None,
                    tx: None,
                };
                let old = self.flights.insert(peer.index, flight);
                assert!(old.is_none(), "{peer:?} is in use");
            }
            Completion::Received { peer, rx, tx, .. } => {
                let flight = self.flight(*peer);
                assert!(flight.receiving, "nobody asked for a receive");
                assert_eq!(flight.rx.is_none(), tx.is_some(), "half a slot");
                flight.receiving = false;
                self.own(*peer, Some(at(&**rx)), tx.as_deref().map(at));
            }
            Completion::Sent { peer, tx } => {
                let flight = self.flight(*peer);
                assert!(flight.sending, "nobody asked for a send");
                flight.sending = false;
                assert!(tx.pending().is_empty(), "not all is sent");
                self.own(*peer, None, Some(at(&**tx)));
            }
            Completion::Ended { peer } => {
                let flight = self.flight(*peer);
                assert!(flight.receiving && flight.rx.is_none(), "nobody asked");
                flight.receiving = false;
            }
            Completion::Lost { peer, rx, tx } => {
                let home = (rx.as_deref().map(at), tx.as_deref().map(at));
                self.home(*peer, home);
            }
            Completion::Notified => {}
        }
    }

    /// A send begins.
    fn check_send(&mut self, peer: PeerId, tx: &SendBuffer) {
        let _checks = aside();
        self.turnstile.is_served(peer, false);
        let flight = self.flight(peer);
        assert!(!flight.receiving && !flight.sending, "one thing at a time");
        flight.sending = true;
        assert!(!tx.pending().is_empty(), "nothing to send");
        self.own(peer, None, Some(at(tx)));
    }
}

impl<D: Driver> Driver for Checked<D> {
    type Error = D::Error;

    fn recv(&mut self, peer: PeerId, mut rx: Option<&'static mut RecvBuffer>) {
        let checks = aside();
        self.turnstile.is_served(peer, rx.is_none());
        let flight = self.flight(peer);
        assert!(!flight.receiving && !flight.sending, "one thing at a time");
        flight.receiving = true;
        match &mut rx {
            Some(rx) => {
                assert!(!rx.space().is_empty(), "no space to receive into");
                let address = at(&**rx);
                self.own(peer, Some(address), None);
            }
            None => self.disown(peer),
        }
        drop(checks);
        self.inner.recv(peer, rx);
    }

    fn send(&mut self, peer: PeerId, tx: &'static mut SendBuffer) {
        self.check_send(peer, tx);
        self.inner.send(peer, tx);
    }

    fn send_later(&mut self, peer: PeerId, tx: &'static mut SendBuffer) {
        self.check_send(peer, tx);
        self.inner.send_later(peer, tx);
    }

    fn send_now(
        &mut self,
        peer: PeerId,
        tx: &'static mut SendBuffer,
    ) -> Option<&'static mut SendBuffer> {
        let checks = aside();
        let flight = self.flight(peer);
        assert!(!flight.receiving && !flight.sending, "one thing at a time");
        assert!(!tx.pending().is_empty(), "nothing to send");
        let buffer = at(&*tx);
        self.own(peer, None, Some(buffer));
        drop(checks);
        let home = self.inner.send_now(peer, tx);
        let _checks = aside();
        match &home {
            Some(tx) => {
                assert!(tx.pending().is_empty(), "not all is sent");
                assert!(at(&**tx) == buffer, "another buffer came home");
            }
            None => self.flight(peer).sending = true,
        }
        home
    }

    fn shutdown(&mut self, peer: PeerId) {
        self.flight(peer);
        self.inner.shutdown(peer);
    }

    fn cancel(&mut self, peer: PeerId) -> InFlight {
        self.cancels += 1;
        self.flight(peer);
        let in_flight = self.inner.cancel(peer);
        let _checks = aside();
        self.land(peer, &in_flight);
        in_flight
    }

    fn close(&mut self, peer: PeerId, abort: bool) -> InFlight {
        self.flight(peer);
        let in_flight = self.inner.close(peer, abort);
        let _checks = aside();
        self.turnstile.goes(peer);
        self.land(peer, &in_flight);
        self.disown(peer);
        self.flights.remove(&peer.index);
        in_flight
    }

    fn accepting(&mut self, yes: bool) {
        if !yes {
            self.turnstile.shut();
        }
        self.inner.accepting(yes);
    }

    fn wait(&mut self, slots: &mut Slots<'_>, until: Option<Instant>) -> Result<(), D::Error> {
        self.inner.wait(slots, until)
    }

    fn next(&mut self, slots: &mut Slots<'_>) -> Option<Completion> {
        let completion = self.inner.next(slots)?;
        let _checks = aside();
        self.check(&completion);
        Some(completion)
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
