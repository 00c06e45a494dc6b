//! The network below the product's adaptor for kqueue.

use std::convert::Infallible;
use std::time::Duration;

use barewire_core::driver::{Address, Event, Instant, Kernel, Trouble};
use barewire_macos::watch::Watch;

use super::hap::Hap;
use super::knotes::Owner;
use super::net::{Net, SimSocket};
use super::queue::SimQueue;
use super::strict::aside;

/// A [`Kernel`] of two parts: the product's [`Watch`] over a simulated `kevent(2)`, which says who
/// can do what, and the calls on sockets, which are the network's.
#[derive(Debug)]
pub struct SimKqueue {
    watch: Watch<SimQueue>,
    queue: SimQueue,
    /// Lent to the queue while it waits.
    net: Option<Box<Net>>,
}

const LENT: &str = "the network is lent for the time of a wait only";

impl SimKqueue {
    /// Over this network; with the listener, unless somebody else accepts.
    pub(super) fn over(mut net: Net) -> SimKqueue {
        let queue = SimQueue::new(net.rng.any());
        let (watch, waker) = Watch::over(queue.clone()).expect("nothing goes wrong yet");
        if net.door.is_none() {
            let number = queue.open(Owner::Listener);
            watch.listen(number).expect("nothing goes wrong yet");
            net.listener = Some(number);
        }
        net.waker = Some(waker);
        queue.begin(net.faults);
        SimKqueue {
            watch,
            queue,
            net: Some(Box::new(net)),
        }
    }

    /// The network below.
    pub fn net(&self) -> &Net {
        self.net.as_deref().expect(LENT)
    }

    fn net_mut(&mut self) -> &mut Net {
        self.net.as_deref_mut().expect(LENT)
    }
}

impl Kernel for SimKqueue {
    type Socket = SimSocket;
    type Error = Infallible;

    fn poll(&mut self, events: &mut [Event], until: Option<Instant>) -> Result<usize, Infallible> {
        let left = until.map(|until| Duration::from_nanos(until.nanos_since(self.now())));
        self.queue.lend(self.net.take().expect(LENT));
        let told = self.watch.poll(events, left);
        self.net = self.queue.take_back();
        Ok(told.expect("a simulated wait fails by signals only"))
    }

    fn accept(&mut self) -> Result<(SimSocket, Address), Trouble> {
        let _aside = aside();
        self.net_mut().accept()
    }

    fn register(&mut self, socket: &SimSocket, token: u64) -> Result<(), Trouble> {
        let simulated = aside();
        let at = socket.at();
        let number = self.queue.open(Owner::Link(at));
        let net = self.net.as_deref_mut().expect(LENT);
        net.taken();
        net.links[at].number = Some(number);
        self.queue.is_gone(number, net.links[at].reset);
        drop(simulated);
        let result = self.watch.register(number, token);
        let _aside = aside();
        let net = self.net_mut();
        match result {
            Ok(()) => net.name(socket, token),
            Err(_) => {
                net.haps.note(Hap::Unregistered);
                net.turn_away(socket);
            }
        }
        result
    }

    fn recv(&mut self, socket: &SimSocket, into: &mut [u8]) -> Result<usize, Trouble> {
        let _aside = aside();
        self.net_mut().recv(socket, into)
    }

    fn send(&mut self, socket: &SimSocket, from: &[u8]) -> Result<usize, Trouble> {
        let _aside = aside();
        self.net_mut().send(socket, from)
    }

    fn shutdown(&mut self, socket: &SimSocket) {
        let _aside = aside();
        self.net_mut().shutdown(socket);
        if let Some(number) = self.net().links[socket.at()].number {
            self.queue.shut(number);
        }
    }

    fn close(&mut self, socket: SimSocket, abort: bool) {
        let _aside = aside();
        if let Some(number) = self.net_mut().links[socket.at()].number.take() {
            self.queue.close(number);
        }
        self.net_mut().close(socket, abort);
    }

    fn stop_listening(&mut self) {
        if let Some(number) = self.net_mut().listener.take() {
            self.watch.forget_listener(number);
            self.queue.close(number);
        }
        let _aside = aside();
        self.net_mut().stop_listening();
    }

    fn local(&self, _: &SimSocket) -> Option<Address> {
        Some(self.net().local())
    }

    fn now(&self) -> Instant {
        Instant(self.net().now)
    }
}
