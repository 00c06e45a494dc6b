//! What is done comes out of the ring, or is called back before.

use std::collections::VecDeque;

use barewire_core::buffer::Slot;
use barewire_core::driver::{Completion, InFlight, PeerId, Slots, Trouble};

use super::Ring;
use crate::sim::hap::Hap;
use crate::sim::task::{Done, Operation, Task, filled, of};

impl Ring {
    /// Gives a slot to a receive that has none; `false`: there is none.
    pub(super) fn feed(&mut self, peer: PeerId, slots: &mut Slots<'_>) -> bool {
        let sends = self.is_sending(peer);
        let Some(place) = self.place(peer) else {
            return true;
        };
        if !place.waits {
            return true;
        }
        if sends {
            // Both halves of a slot: not before the send is done.
            self.submit(peer, Task::Poll);
            return true;
        }
        match slots.take() {
            Some(slot) => self.submit(peer, Task::ReceiveOnce(slot)),
            None if place.broken => self.lose(peer, InFlight::default()),
            None => return false,
        }
        true
    }

    fn is_sending(&self, peer: PeerId) -> bool {
        let sends = |other: PeerId, task: &Task| other == peer && matches!(task, Task::Send(_));
        self.operations.iter().any(|one| sends(one.peer, &one.task))
            || self.queue.iter().any(|one| sends(one.peer, &one.task))
    }

    /// Whether any operation with a buffer is in flight, or any completion to be reported.
    fn is_busy_with(&self, peer: PeerId) -> bool {
        let holds =
            |other: PeerId, task: &Task| other == peer && !matches!(task, Task::Poll | Task::Watch);
        self.operations.iter().any(|one| holds(one.peer, &one.task))
            || self.queue.iter().any(|one| holds(one.peer, &one.task))
            || self.reports.iter().any(|one| of(one) == Some(peer))
    }

    /// Reaps one completion.
    pub(super) fn reap(&mut self, done: Done, slots: &mut Slots<'_>) {
        self.net
            .haps
            .note_if(done.number < self.reaped, Hap::OutOfOrder);
        self.reaped = self.reaped.max(done.number);
        let Done {
            peer, task, result, ..
        } = done;
        let Some(place) = self.place(peer) else {
            // Buffers were waited for when it was closed.
            assert!(matches!(task, Task::Poll | Task::Watch), "a late buffer");
            self.net.haps.note(Hap::LateCompletion);
            return;
        };
        match (task, result) {
            (Task::Poll, _) => {
                if !self.feed(peer, slots) && !self.starved.contains(&peer) {
                    self.net.haps.note(Hap::SlotsExhausted);
                    self.starved.push_back(peer);
                }
            }
            (Task::Watch, _) => place.broken = true,
            (Task::Receive(rx), Ok(n)) => {
                let what = filled(rx, n);
                let tx = None;
                self.reports
                    .push_back(Completion::Received { peer, rx, tx, what });
            }
            (Task::ReceiveOnce(slot), Ok(0)) => {
                place.waits = false;
                slots.give(slot);
                self.reports.push_back(Completion::Ended { peer });
            }
            (Task::ReceiveOnce(Slot { rx, tx }), Ok(n)) => {
                place.waits = false;
                let what = filled(rx, n);
                let tx = Some(tx);
                self.reports
                    .push_back(Completion::Received { peer, rx, tx, what });
            }
            (Task::ReceiveOnce(slot), Err(Trouble::WouldBlock)) => {
                slots.give(slot);
                self.submit(peer, Task::Poll);
            }
            (Task::ReceiveOnce(slot), Err(_)) => {
                slots.give(slot);
                self.lose(peer, InFlight::default());
            }
            (Task::Send(tx), Ok(n)) => {
                tx.sent(n);
                match tx.pending().is_empty() {
                    true => self.reports.push_back(Completion::Sent { peer, tx }),
                    false => self.submit(peer, Task::Send(tx)),
                }
            }
            (Task::Receive(rx), Err(_)) => {
                let (rx, tx) = (Some(rx), None);
                self.lose(peer, InFlight { rx, tx });
            }
            (Task::Send(tx), Err(_)) => {
                let (rx, tx) = (None, Some(tx));
                self.lose(peer, InFlight { rx, tx });
            }
        }
    }

    /// Reports a connection as lost, with all that is in flight for it.
    pub(super) fn lose(&mut self, peer: PeerId, mut home: InFlight) {
        let others = self.call_back(peer);
        home.rx = home.rx.or(others.rx);
        home.tx = home.tx.or(others.tx);
        if let Some(place) = self.place(peer) {
            place.lost = true;
            let InFlight { rx, tx } = home;
            self.reports.push_back(Completion::Lost { peer, rx, tx });
        }
    }

    /// Waits until no operation of this connection holds a buffer, and takes the buffers home, also
    /// from what was not reported yet.
    pub(super) fn call_back(&mut self, peer: PeerId) -> InFlight {
        let mut home = InFlight::default();
        if let Some(place) = self.place(peer) {
            place.waits = false;
        }
        self.starved.retain(|other| *other != peer);
        for at in (0..self.operations.len()).rev() {
            let one = &self.operations[at];
            if one.peer != peer || matches!(one.task, Task::Watch) {
                continue;
            }
            let mut operation = Some(self.operations.swap_remove(at));
            // The ring was quicker, sometimes.
            if self.net.rng.chance(100) {
                operation = operation.and_then(|operation| self.attempt(operation));
            }
            if let Some(Operation { task, .. }) = operation {
                self.net.haps.note(Hap::CancelInTime);
                // Nobody waits for one without a buffer.
                self.complete(peer, task, Err(Trouble::WouldBlock));
            }
        }
        for at in (0..self.queue.len()).rev() {
            let one = &self.queue[at];
            if one.peer != peer || matches!(one.task, Task::Poll | Task::Watch) {
                continue;
            }
            let Done { task, result, .. } = self.queue.swap_remove(at);
            self.net.haps.note_if(result.is_ok(), Hap::CancelTooLate);
            match task {
                Task::Receive(rx) => {
                    if let Ok(n) = result {
                        filled(rx, n);
                    }
                    home.rx = Some(rx);
                }
                Task::ReceiveOnce(Slot { rx, tx }) => {
                    if let Ok(n) = result {
                        filled(rx, n);
                    }
                    (home.rx, home.tx) = (Some(rx), Some(tx));
                }
                Task::Send(tx) => {
                    tx.sent(result.unwrap_or(0));
                    home.tx = Some(tx);
                }
                Task::Poll | Task::Watch => {}
            }
        }
        let mut kept = VecDeque::new();
        for report in self.reports.drain(..) {
            match report {
                Completion::Received {
                    peer: of, rx, tx, ..
                } if of == peer => {
                    home.rx = Some(rx);
                    home.tx = tx.or(home.tx);
                }
                Completion::Sent { peer: of, tx } if of == peer => home.tx = Some(tx),
                Completion::Lost {
                    peer: of, rx, tx, ..
                } if of == peer => {
                    home.rx = rx.or(home.rx);
                    home.tx = tx.or(home.tx);
                }
                Completion::Ended { peer: of } if of == peer => {}
                other => kept.push_back(other),
            }
        }
        self.reports = kept;
        home
    }

    /// Whoever has nothing in flight and was found broken is reported once.
    pub(super) fn tell_broken(&mut self) {
        for index in 0..self.places.len() {
            let place = &self.places[index];
            if !place.broken || place.lost || place.waits || !place.known {
                continue;
            }
            let peer = PeerId {
                index: index as u32,
                generation: place.generation,
            };
            if place.socket.is_some() && !self.is_busy_with(peer) {
                self.lose(peer, InFlight::default());
            }
        }
    }
}
