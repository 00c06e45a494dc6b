//! The calls on sockets, and what may go wrong with them.

use std::num::NonZeroU32;

use barewire_core::driver::{Address, Instant, Trouble};

use super::{Act, Net, SimSocket};
use crate::sim::client::Ending;
use crate::sim::hap::Hap;
use crate::sim::link::Way;

impl Net {
    pub(in crate::sim) fn interrupted(&mut self) -> Result<(), Trouble> {
        match self.rng.chance(self.faults.interrupt) {
            true => {
                self.haps.note(Hap::Interrupted);
                Err(Trouble::Interrupted)
            }
            false => Ok(()),
        }
    }

    pub(in crate::sim) fn accept(&mut self) -> Result<(SimSocket, Address), Trouble> {
        self.interrupted()?;
        if self.backlog.is_empty() || !self.listening {
            return Err(Trouble::WouldBlock);
        }
        if self.rng.chance(self.faults.again) {
            self.haps.note(Hap::AcceptAgain);
            self.plan_soon(Act::WakeListener);
            return Err(Trouble::WouldBlock);
        }
        if self.faults.descriptors > 0 && self.held >= self.faults.descriptors.into() {
            self.haps.note(Hap::ProcessFull);
            return Err(Trouble::Exhausted);
        }
        if self.rng.chance(self.faults.exhausted) {
            let (hap, trouble) = [
                (Hap::SystemFull, Trouble::Exhausted),
                (Hap::NoMemory, Trouble::Exhausted),
                (Hap::AcceptFailed, Trouble::Other(99)),
            ][self.rng.below(3)];
            self.haps.note(hap);
            return Err(trouble);
        }
        if self.rng.chance(self.faults.aborted) {
            self.haps.note(Hap::AcceptAborted);
            return Err(Trouble::Aborted);
        }
        let at = self.backlog.pop_front().ok_or(Trouble::WouldBlock)?;
        self.links[at].held = true;
        self.held += 1;
        let number = NonZeroU32::MIN.saturating_add(at as u32);
        let client = std::net::SocketAddr::from((self.clients[at].from, at as u16));
        Ok((SimSocket(number), Address::new(client)))
    }

    /// News of this socket are for `token` from now on.
    pub(in crate::sim) fn name(&mut self, socket: &SimSocket, token: u64) {
        let at = socket.at();
        self.links[at].token = Some(token);
        self.clients[at].transcript.times.accepted = Some(Instant(self.now));
        // What is true already counts as news.
        self.wake(at, Way::Both);
    }

    /// The server could not do with this client.
    pub(in crate::sim) fn turn_away(&mut self, socket: &SimSocket) {
        self.clients[socket.at()].end(Ending::Refused);
    }

    pub(in crate::sim) fn recv(
        &mut self,
        socket: &SimSocket,
        into: &mut [u8],
    ) -> Result<usize, Trouble> {
        assert!(!into.is_empty(), "a read of nothing");
        self.interrupted()?;
        let at = socket.at();
        let link = &mut self.links[at];
        if link.reset && !self.rng.chance(self.faults.reset_keeps_bytes) {
            link.inbox.clear();
        }
        if link.inbox.is_empty() {
            return match (link.reset, link.fin) {
                (true, _) => {
                    self.haps.note(Hap::Reset);
                    Err(Trouble::Lost)
                }
                (_, true) => {
                    self.haps.note_if(!link.deserted, Hap::HalfClosed);
                    Ok(0)
                }
                _ => Err(Trouble::WouldBlock),
            };
        }
        if !link.told_end && self.rng.chance(self.faults.again) {
            self.haps.note(Hap::ReadAgain);
            self.plan_soon(Act::Wake(at, Way::In));
            return Err(Trouble::WouldBlock);
        }
        let mut n = into.len().min(link.inbox.len());
        if self.rng.chance(self.faults.short) {
            n = self.rng.one_to(n).min(n);
        }
        self.haps
            .note_if(n < link.inbox.len().min(into.len()), Hap::ShortRead);
        self.haps
            .note_if(link.fin || link.reset, Hap::EndBehindData);
        for (into, byte) in into.iter_mut().zip(link.inbox.drain(..n)) {
            *into = byte;
        }
        // As if the rest had arrived just after.
        if n < into.len() && !link.inbox.is_empty() && !link.told_end {
            self.plan_soon(Act::Wake(at, Way::In));
        }
        self.clients[at].touch(Instant(self.now), true);
        Ok(n)
    }

    pub(in crate::sim) fn send(
        &mut self,
        socket: &SimSocket,
        from: &[u8],
    ) -> Result<usize, Trouble> {
        assert!(!from.is_empty(), "a send of nothing");
        self.interrupted()?;
        let at = socket.at();
        let link = &mut self.links[at];
        if link.reset || link.server_fin {
            self.haps.note(Hap::Reset);
            return Err(Trouble::Lost);
        }
        if link.deserted {
            self.plan_soon(Act::Reset(at));
            return Ok(from.len());
        }
        let room = link.room();
        if room == 0 {
            link.no_space = true;
            return Err(Trouble::WouldBlock);
        }
        if self.rng.chance(self.faults.again) {
            self.haps.note(Hap::WriteAgain);
            self.plan_soon(Act::Wake(at, Way::Out));
            return Err(Trouble::WouldBlock);
        }
        let mut n = room.min(from.len());
        if self.rng.chance(self.faults.short) {
            n = self.rng.one_to(n).min(n);
        }
        self.haps.note_if(n < from.len(), Hap::ShortWrite);
        link.outbox.extend(&from[..n]);
        if n < from.len() {
            link.no_space = true;
            if n < room {
                self.plan_soon(Act::Wake(at, Way::Out));
            }
        }
        self.clients[at].touch(Instant(self.now), false);
        self.start_drain(at);
        Ok(n)
    }

    pub(in crate::sim) fn shutdown(&mut self, socket: &SimSocket) {
        let at = socket.at();
        self.links[at].server_fin = true;
        let times = &mut self.clients[at].transcript.times;
        times.ended.get_or_insert(Instant(self.now));
        if self.links[at].fin {
            // Both directions are shut: a hang-up.
            self.wake(at, Way::Both);
        }
        self.start_drain(at);
    }

    pub(in crate::sim) fn close(&mut self, socket: SimSocket, abort: bool) {
        let at = socket.at();
        let link = &mut self.links[at];
        assert!(link.held, "closed twice");
        link.held = false;
        let on_the_way = link.token.is_none() && self.clients[at].is_open();
        self.haps.note_if(on_the_way, Hap::StoppedOnTheWay);
        let times = &mut self.clients[at].transcript.times;
        times.ended.get_or_insert(Instant(self.now));
        times.closed = Some(Instant(self.now));
        link.token = None;
        self.held -= 1;
        // To close with unread bytes is to reset, and the reset may overtake answers.
        if abort || !link.inbox.is_empty() {
            if abort || self.rng.chance(128) {
                link.outbox.clear();
            }
            let now = self.now;
            self.clients[at].hear(link.outbox.drain(..), now);
            self.clients[at].end(Ending::Reset);
        } else {
            link.server_fin = true;
            self.start_drain(at);
        }
    }

    pub(in crate::sim) fn stop_listening(&mut self) {
        self.listening = false;
        for at in self.backlog.drain(..) {
            self.clients[at].end(Ending::Refused);
        }
    }

    pub(in crate::sim) fn local(&self) -> Address {
        Address::new(std::net::SocketAddr::from(([10, 0, 0, 2], 80)))
    }
}
