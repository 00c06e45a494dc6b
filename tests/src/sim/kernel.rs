//! The network as a kernel that tells readiness.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::ops::{Deref, DerefMut};

use barewire_core::driver::{Address, Event, Instant, Kernel, LISTENER, PeerId, Trouble, WAKER};

use super::client::Plan;
use super::faults::Faults;
use super::hap::Hap;
use super::net::{Net, SimSocket};
use super::rng::Rng;
use super::strict::aside;

/// A simulated [`Kernel`]; see the [module](crate::sim).
#[derive(Debug)]
pub struct SimKernel {
    net: Net,
    /// Events to report once more, or although their socket is closed.
    again: VecDeque<Event>,
}

impl SimKernel {
    /// A kernel whose faults the seed chooses.
    pub fn new(seed: u64, plans: Vec<Plan>) -> SimKernel {
        let faults = Faults::any(&mut Rng::new(!seed));
        SimKernel::with_faults(seed, plans, faults)
    }

    /// A kernel with these faults.
    pub fn with_faults(seed: u64, plans: Vec<Plan>, faults: Faults) -> SimKernel {
        SimKernel::over(Net::new(seed, plans, faults, 0))
    }

    pub(super) fn over(net: Net) -> SimKernel {
        let again = VecDeque::new();
        SimKernel { net, again }
    }

    /// An event of a socket that may be closed, or that has nothing new to tell.
    fn repeat(&mut self) -> Option<Event> {
        let event = self.again.pop_front()?;
        let place = PeerId::from_word(event.token).index;
        let mut tokens = self.net.links.iter().filter_map(|link| link.token);
        let hap = match tokens.find(|token| PeerId::from_word(*token).index == place) {
            Some(token) if token == event.token => Hap::EventTwice,
            Some(_) => Hap::StaleEventAtReusedPlace,
            None => Hap::StaleEvent,
        };
        self.net.haps.note(hap);
        Some(event)
    }

    /// What is true of the next socket on the ready list.
    fn fresh(&mut self) -> Option<Event> {
        let (at, way) = self.net.pop_news()?;
        if self.net.rng.chance(self.net.faults.delay) {
            self.net.haps.note(Hap::EventDelayed);
            self.net.wake_soon(at, way);
            return None;
        }
        let event = self.net.links[at].event()?;
        if self.net.rng.chance(self.net.faults.twice) {
            self.again.push_back(event);
        }
        Some(event)
    }

    /// Takes sockets off the ready list and reports what is true of them now.
    fn harvest(&mut self, events: &mut [Event]) -> usize {
        // A small batch now and then: the rest stays for the next poll.
        let most = match self.net.rng.below(4) {
            0 => events.len().min(1),
            _ => events.len(),
        };
        let named = |token| Event {
            token,
            readable: true,
            ..Event::default()
        };
        let mut count = 0;
        while count < most {
            let event = if core::mem::take(&mut self.net.woken) {
                self.net.haps.note(Hap::Woken);
                Some(named(WAKER))
            } else if core::mem::take(&mut self.net.listener_ready) {
                Some(named(LISTENER))
            } else if let Some(event) = self.repeat() {
                Some(event)
            } else if self.net.has_ready() {
                self.fresh()
            } else {
                break;
            };
            if let Some(event) = event {
                events[count] = event;
                count += 1;
            }
        }
        let more = self.net.has_ready() || !self.again.is_empty();
        self.net
            .haps
            .note_if(more && count == most, Hap::ListTooShort);
        count
    }
}

impl Deref for SimKernel {
    type Target = Net;

    fn deref(&self) -> &Net {
        &self.net
    }
}

impl DerefMut for SimKernel {
    fn deref_mut(&mut self) -> &mut Net {
        &mut self.net
    }
}

impl Kernel for SimKernel {
    type Socket = SimSocket;
    type Error = Infallible;

    fn poll(&mut self, events: &mut [Event], until: Option<Instant>) -> Result<usize, Infallible> {
        let _aside = aside();
        self.net.begin_turn();
        if self.net.interrupted().is_err() {
            return Ok(0);
        }
        loop {
            self.net.act_due();
            let count = self.harvest(events);
            if count > 0 || !self.net.pass_time(until) {
                return Ok(count);
            }
        }
    }

    fn accept(&mut self) -> Result<(SimSocket, Address), Trouble> {
        let _aside = aside();
        self.net.accept()
    }

    fn register(&mut self, socket: &SimSocket, token: u64) -> Result<(), Trouble> {
        let _aside = aside();
        self.net.taken();
        if self.net.rng.chance(self.net.faults.unregistered) {
            self.net.haps.note(Hap::Unregistered);
            self.net.turn_away(socket);
            return Err(Trouble::Exhausted);
        }
        self.net.name(socket, token);
        Ok(())
    }

    fn recv(&mut self, socket: &SimSocket, into: &mut [u8]) -> Result<usize, Trouble> {
        let _aside = aside();
        self.net.recv(socket, into)
    }

    fn send(&mut self, socket: &SimSocket, from: &[u8]) -> Result<usize, Trouble> {
        let _aside = aside();
        self.net.send(socket, from)
    }

    fn shutdown(&mut self, socket: &SimSocket) {
        let _aside = aside();
        self.net.shutdown(socket);
    }

    fn close(&mut self, socket: SimSocket, abort: bool) {
        let _aside = aside();
        if let Some(token) = self.net.links[socket.at()].token
            && self.net.rng.chance(self.net.faults.stale)
        {
            self.again.push_back(Event {
                token,
                readable: true,
                writable: true,
                ended: true,
                broken: true,
            });
        }
        self.net.close(socket, abort);
    }

    fn stop_listening(&mut self) {
        let _aside = aside();
        self.net.stop_listening();
    }

    fn local(&self, _: &SimSocket) -> Option<Address> {
        Some(self.net.local())
    }

    fn now(&self) -> Instant {
        Instant(self.net.now)
    }
}
