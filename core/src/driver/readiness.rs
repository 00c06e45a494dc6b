//! Readiness turned into completions, once.

use core::fmt;
use core::hint::cold_path;

use super::attempt::{Got, Tried, read, write, write_from};
use super::entry::{Entry, List, Peers, flag::*};
use super::{
    Address, Completion, Driver, Event, InFlight, Instant, Kernel, LISTENER, PeerId, Received,
    Slots, Trouble, WAKER,
};
use crate::buffer::{RecvBuffer, SendBuffer};

/// Events per poll. Enough that a loaded worker pays one poll for many peers; 4 KiB of the driver.
const EVENT_BATCH: usize = 256;

/// Connections accepted per turn at most. A burst of thousands must not make those wait that are
/// served already; 64 accepts take about as long as serving 64 requests.
const ACCEPT_BUDGET: u32 = 64;

/// Milliseconds without an accept after the system ran out of descriptors or memory: short enough
/// that nobody notices, long enough that trying costs nothing.
const ACCEPT_BACKOFF_MS: u64 = 100;

/// A [`Driver`] over a [`Kernel`] that tells readiness.
///
/// Each connection is registered once, edge-triggered. What an edge told is kept as two hints,
/// "readable" and "writable", until a call comes back short; a receive or a send without its hint
/// is parked and costs no call.
///
/// ```text
///             no hint                    edge
///  recv ----------------------> parked ---------> to try --- call in next() ---> reported
///       \_ hint: to try in the next turn            |  ^
///                                 no slot is free   v  | one is
///                                                starved
///
///  send --- call in place ---> all sent: to report, or given back at once
///       \_ part, or no hint: parked until the edge, then goes on by itself
/// ```
///
/// Fair: in a turn (one `wait` and the `next`s after it) each peer is read once, and at most 64
/// connections are accepted, after everything else.
///
/// One peer after the other: `wait` only takes the events; `next` reads from the peer of the next
/// event and reports what came, so that its answer is sent while its socket, its slot and the
/// request are still in the caches, and the next peer gets the slot that it gave back. (Reading
/// from all of a batch first was dropped: the manual has the figures.)
///
/// A receive without a buffer (of an idle peer) takes a slot only once there is something to read,
/// and gives it back if that is just the end. If no slot is free, the peer waits in line.
pub struct Readiness<'m, K: Kernel> {
    kernel: K,
    peers: Peers<'m, K::Socket>,
    now: Instant,
    /// The listener has not said `WouldBlock` since its last edge.
    acceptable: bool,
    /// The worker wants connections.
    accepting: bool,
    /// Connections that may still be accepted in this turn.
    accepts_left: u32,
    /// No accept before; the system was out of descriptors or memory.
    accept_after: Option<Instant>,
    /// Somebody woke us and was not reported yet.
    notified: bool,
    /// Those that had something left to try when this turn began, and did not have their try yet.
    turn: List,
    /// Events of this turn: from `next_event` to `event_count` they are not looked at yet.
    next_event: usize,
    event_count: usize,
    events: [Event; EVENT_BATCH],
}

impl<'m, K: Kernel> Readiness<'m, K> {
    /// A driver for at most `entries.len()` connections at once. More stay in the backlog of the
    /// listening socket. What the entries held before is forgotten.
    pub fn new(kernel: K, entries: &'m mut [Entry<K::Socket>]) -> Self {
        Readiness {
            now: kernel.now(),
            kernel,
            peers: Peers::new(entries),
            // A connection may have come before the listener was registered.
            acceptable: true,
            accepting: true,
            accepts_left: 0,
            accept_after: None,
            notified: false,
            turn: List::EMPTY,
            next_event: 0,
            event_count: 0,
            events: [Event {
                token: 0,
                readable: false,
                writable: false,
                ended: false,
                broken: false,
            }; EVENT_BATCH],
        }
    }

    /// The kernel below.
    pub fn kernel(&self) -> &K {
        &self.kernel
    }

    /// The kernel below, for what is set up or looked at beside the driver.
    pub fn kernel_mut(&mut self) -> &mut K {
        &mut self.kernel
    }

    /// Whether an accept may bring a connection as soon as the back-off is over.
    fn wants_accept(&self) -> bool {
        self.acceptable && self.accepting && self.peers.has_room()
    }

    fn backs_off(&self) -> bool {
        self.accept_after.is_some_and(|after| self.now < after)
    }

    /// Notes what the next event tells, and does what there is to do for its peer.
    #[inline(always)]
    fn take_event(&mut self, slots: &mut Slots<'_>) -> Option<Completion> {
        let event = *self.events.get(self.next_event)?;
        self.next_event = self.next_event.wrapping_add(1);
        match event.token {
            LISTENER => {
                cold_path();
                self.acceptable = true;
            }
            WAKER => {
                cold_path();
                self.notified = true;
            }
            token => {
                let peer = PeerId::from_word(token);
                // An event of a connection that was closed since finds another generation.
                let entry = self.peers.find(peer)?;
                entry.note(event);
                if !entry.has(ON_ANY) {
                    return self.serve(peer.index, slots);
                }
                cold_path();
                // It has its try when its turn comes, or waits no longer.
                self.peers.settle(peer.index);
            }
        }
        None
    }

    /// What the worker left lying of the last turn (it may wait again before `next` said `None`).
    #[cold]
    fn keep_for_next_turn(&mut self) {
        while let Some(index) = self.peers.pop(&mut self.turn) {
            self.peers.settle(index);
        }
        for at in self.next_event..self.event_count {
            let event = self.events.get(at).copied().unwrap_or_default();
            match event.token {
                LISTENER => self.acceptable = true,
                WAKER => self.notified = true,
                token => {
                    let peer = PeerId::from_word(token);
                    if let Some(entry) = self.peers.find(peer) {
                        entry.note(event);
                        self.peers.settle(peer.index);
                    }
                }
            }
        }
        self.next_event = self.event_count;
    }

    /// Something of this turn was not looked at yet.
    fn has_turn_left(&self) -> bool {
        self.next_event < self.event_count || !self.turn.is_empty()
    }

    /// Who is on a list is the exception: a peer of which an event tells is served at once.
    #[cold]
    fn serve_listed(&mut self, index: u32, slots: &mut Slots<'_>) -> Option<Completion> {
        self.serve(index, slots)
    }

    /// The next thing that was finished before `next` was asked.
    #[cold]
    fn report_done(&mut self) -> Option<Completion> {
        let index = self.peers.pop_done()?;
        let entry = self.peers.at(index);
        let completion = entry.and_then(|entry| report(entry, index));
        self.peers.settle(index);
        completion
    }

    /// Does what there is to do for one peer: a send that goes on, one read. Reports what came of
    /// it.
    #[inline(always)]
    fn serve(&mut self, index: u32, slots: &mut Slots<'_>) -> Option<Completion> {
        let entry = self.peers.at(index)?;
        if entry.has(BROKEN) {
            cold_path();
            if entry.is_left_broken() {
                entry.lose();
            }
        }
        if entry.may_write() {
            cold_path();
            write(&mut self.kernel, entry);
        }
        let got = match entry.may_read() && !entry.has(TELL) {
            true => read(&mut self.kernel, entry, slots),
            false => Got::Nothing,
        };
        let completion = match got {
            Got::Bytes(n, rx, tx) => Some(Completion::Received {
                peer: entry.name(index),
                rx,
                tx,
                what: Received::Bytes(n),
            }),
            Got::End(rx) => {
                cold_path();
                let (peer, what) = (entry.name(index), Received::End);
                Some(match rx {
                    Some(rx) => Completion::Received {
                        peer,
                        rx,
                        tx: None,
                        what,
                    },
                    None => Completion::Ended { peer },
                })
            }
            Got::Starved if entry.needs_slot() => {
                cold_path();
                self.peers.starve(index);
                return None;
            }
            Got::Starved | Got::Nothing => {
                cold_path();
                report(entry, index)
            }
        };
        if !entry.is_at_rest() {
            cold_path();
            self.peers.settle(index);
        }
        completion
    }

    /// The next of those that wait to be let in, as far as the budget goes.
    #[inline(never)]
    fn accept(&mut self) -> Option<Completion> {
        while self.wants_accept() && !self.backs_off() && self.accepts_left > 0 {
            self.accepts_left = self.accepts_left.saturating_sub(1);
            match self.kernel.accept() {
                Ok((socket, from)) => match self.admit(socket) {
                    Some(peer) => return Some(Completion::Accepted { peer, from }),
                    None => continue,
                },
                Err(Trouble::WouldBlock) => self.acceptable = false,
                Err(Trouble::Interrupted | Trouble::Aborted) => {}
                // The backlog still holds what was not accepted, and no edge will tell again. What
                // is unknown must not spin either.
                Err(Trouble::Exhausted | Trouble::Lost | Trouble::Other(_)) => self.back_off(),
            }
        }
        None
    }

    fn admit(&mut self, socket: K::Socket) -> Option<PeerId> {
        let peer = match self.peers.open(socket) {
            Ok(peer) => peer,
            // Cannot be: there was room.
            Err(socket) => {
                self.kernel.close(socket, true);
                return None;
            }
        };
        let registered = match self.peers.socket(peer) {
            Some(socket) => self.kernel.register(socket, peer.to_word()),
            None => Ok(()),
        };
        if registered.is_ok() {
            return Some(peer);
        }
        if let Some((socket, _)) = self.peers.close(peer) {
            self.kernel.close(socket, true);
        }
        self.back_off();
        None
    }

    fn back_off(&mut self) {
        let nanos = Instant::from_millis(ACCEPT_BACKOFF_MS).0;
        self.accept_after = Some(Instant(self.now.0.saturating_add(nanos)));
    }

    /// Takes a send over, and begins with it `now` or in the next turn: with room to write it is
    /// among those that the turn begins with.
    fn submit(&mut self, peer: PeerId, tx: &'static mut SendBuffer, now: bool) {
        let Some(entry) = self.peers.find(peer) else {
            debug_assert!(false, "a send to a closed connection");
            return;
        };
        debug_assert!(entry.tx.is_none(), "a second send in flight");
        if entry.tx.is_some() {
            return;
        }
        let empty = tx.pending().is_empty();
        entry.tx = Some(tx);
        if entry.has(LOST) {
            entry.set(TELL);
        } else if empty {
            entry.set(SENT);
        } else if now && entry.may_write() {
            write(&mut self.kernel, entry);
        }
        self.peers.settle(peer.index);
    }
}

impl<K: Kernel> Driver for Readiness<'_, K> {
    type Error = K::Error;

    fn recv(&mut self, peer: PeerId, rx: Option<&'static mut RecvBuffer>) {
        let Some(entry) = self.peers.find(peer) else {
            debug_assert!(rx.is_none(), "a receive for a closed connection");
            return;
        };
        debug_assert!(!entry.has(WANTS), "a second receive in flight");
        if entry.has(WANTS) {
            return;
        }
        entry.rx = rx;
        entry.set(WANTS);
        if entry.has(LOST) {
            entry.set(TELL);
        }
        if !entry.is_at_rest() {
            cold_path();
            self.peers.settle(peer.index);
        }
    }

    fn send(&mut self, peer: PeerId, tx: &'static mut SendBuffer) {
        self.submit(peer, tx, true);
    }

    fn send_later(&mut self, peer: PeerId, tx: &'static mut SendBuffer) {
        self.submit(peer, tx, false);
    }

    #[inline]
    fn send_now(
        &mut self,
        peer: PeerId,
        tx: &'static mut SendBuffer,
    ) -> Option<&'static mut SendBuffer> {
        let Some(entry) = self.peers.find(peer) else {
            debug_assert!(false, "a send to a closed connection");
            return None;
        };
        debug_assert!(entry.tx.is_none(), "a second send in flight");
        if entry.tx.is_none()
            && entry.has(WRITABLE)
            && !entry.has(LOST)
            && !tx.pending().is_empty()
            && let Some(socket) = &entry.socket
        {
            match write_from(&mut self.kernel, socket, tx) {
                Tried::All => return Some(tx),
                // All others wait.
                Tried::Short => entry.clear(WRITABLE),
                Tried::Again => {}
                Tried::Gone => entry.lose(),
            }
            cold_path();
            entry.tx = Some(tx);
            self.peers.settle(peer.index);
            return None;
        }
        cold_path();
        self.send(peer, tx);
        None
    }

    fn shutdown(&mut self, peer: PeerId) {
        if let Some(socket) = self.peers.socket(peer) {
            self.kernel.shutdown(socket);
        }
    }

    fn cancel(&mut self, peer: PeerId) -> InFlight {
        let Some(entry) = self.peers.find(peer) else {
            return InFlight::default();
        };
        let in_flight = entry.take_in_flight();
        self.peers.settle(peer.index);
        in_flight
    }

    fn close(&mut self, peer: PeerId, abort: bool) -> InFlight {
        let Some((socket, in_flight)) = self.peers.close(peer) else {
            return InFlight::default();
        };
        self.kernel.close(socket, abort);
        in_flight
    }

    fn accepting(&mut self, yes: bool) {
        if self.accepting && !yes {
            self.accepting = false;
            self.kernel.stop_listening();
        }
    }

    fn wait(&mut self, slots: &mut Slots<'_>, until: Option<Instant>) -> Result<(), Self::Error> {
        let fed = !self.peers.starved.is_empty() && slots.available() > 0;
        let until = if fed || self.is_busy() {
            Some(self.now)
        } else {
            let after = self.accept_after.filter(|_| self.wants_accept());
            match (until, after) {
                (Some(until), Some(after)) => Some(until.min(after)),
                (until, after) => until.or(after),
            }
        };
        if self.has_turn_left() {
            self.keep_for_next_turn();
        }
        self.event_count = 0;
        self.next_event = 0;
        let count = self.kernel.poll(&mut self.events, until)?;
        self.event_count = count.min(EVENT_BATCH);
        self.now = self.kernel.now();
        self.accepts_left = ACCEPT_BUDGET;
        if !self.backs_off() {
            self.accept_after = None;
        }
        self.peers.sweep();
        // Who is put on the list again meanwhile has to wait for the next turn.
        self.turn = self.peers.run.take();
        Ok(())
    }

    fn next(&mut self, slots: &mut Slots<'_>) -> Option<Completion> {
        loop {
            if core::mem::take(&mut self.notified) {
                cold_path();
                return Some(Completion::Notified);
            }
            let completion = if !self.peers.done.is_empty() {
                self.report_done()
            } else if !self.peers.starved.is_empty()
                && slots.available() > 0
                && let Some(index) = self.peers.pop_starved()
            {
                // Who waited for a slot comes before who would take one now.
                self.serve_listed(index, slots)
            } else if self.next_event < self.event_count {
                self.take_event(slots)
            } else if let Some(index) = self.peers.pop(&mut self.turn) {
                self.serve_listed(index, slots)
            } else {
                return self.accept();
            };
            if completion.is_some() {
                return completion;
            }
        }
    }

    fn now(&self) -> Instant {
        self.now
    }

    fn tick(&mut self) -> Instant {
        self.now = self.kernel.now();
        self.now
    }

    fn local(&self, peer: PeerId) -> Option<Address> {
        self.kernel.local(self.peers.socket(peer)?)
    }

    fn is_busy(&self) -> bool {
        self.notified
            || !self.peers.done.is_empty()
            || !self.peers.run.is_empty()
            || self.has_turn_left()
            || self.peers.sweep_due
            || (self.wants_accept() && !self.backs_off())
    }
}

impl<K: Kernel> fmt::Debug for Readiness<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness")
            .field("now", &self.now)
            .field("acceptable", &self.acceptable)
            .field("accepting", &self.accepting)
            .finish_non_exhaustive()
    }
}

/// The next thing to report of this peer. That all was sent comes before that it is lost.
#[inline(never)]
fn report<S>(entry: &mut Entry<S>, index: u32) -> Option<Completion> {
    let peer = entry.name(index);
    if entry.has(SENT) {
        entry.clear(SENT);
        return entry.tx.take().map(|tx| Completion::Sent { peer, tx });
    }
    if entry.has(TELL) {
        entry.clear(TELL);
        let InFlight { rx, tx } = entry.take_in_flight();
        return Some(Completion::Lost { peer, rx, tx });
    }
    None
}

#[cfg(test)]
mod tests;
