//! What the readiness driver knows of each connection, and the lists that it stands on.

use core::fmt;
use core::hint::cold_path;

use super::{Event, InFlight, PeerId};
use crate::buffer::{RecvBuffer, SendBuffer};

/// Room for one connection of a [`Readiness`](super::Readiness) driver.
///
/// The caller provides a slice of them, one for each connection that may be open at once; 48 bytes
/// each, if `S` is a descriptor with a niche (`OwnedFd` is).
pub struct Entry<S> {
    pub(super) socket: Option<S>,
    /// Which connection at this place; counted up by every close.
    generation: u32,
    /// The next entry on the same list.
    next: u32,
    flags: u16,
    /// The buffer of the receive in flight.
    pub(super) rx: Option<&'static mut RecvBuffer>,
    /// The buffer of the send in flight.
    pub(super) tx: Option<&'static mut SendBuffer>,
}

// An idle connection keeps its entry and nothing else, so its size is what a million of them cost.
// On 32-bit targets it is smaller still.
const _: () = assert!(size_of::<Entry<core::num::NonZeroU32>>() <= 48);

/// One bit each; see [`Entry::has`].
pub(super) mod flag {
    /// A receive is in flight (without a buffer in `rx`: an idle one).
    pub(crate) const WANTS: u16 = 1;
    /// A receive may find something: no read since the last edge came back short.
    pub(crate) const READABLE: u16 = 1 << 1;
    /// A send may find room: none since the last edge came back short.
    pub(crate) const WRITABLE: u16 = 1 << 2;
    /// The peer has shut down its sending side: no further edge, so read on until the end.
    pub(crate) const ENDED: u16 = 1 << 3;
    /// An event said hang-up or error: the next call tells.
    pub(crate) const BROKEN: u16 = 1 << 4;
    /// A call said that the connection is gone. Stays.
    pub(crate) const LOST: u16 = 1 << 5;
    /// `Lost` is to be reported.
    pub(crate) const TELL: u16 = 1 << 6;
    /// The send is finished and is to be reported.
    pub(crate) const SENT: u16 = 1 << 7;
    /// On the list of those with something to try.
    pub(crate) const ON_RUN: u16 = 1 << 8;
    /// On the list of those with something to report.
    pub(crate) const ON_DONE: u16 = 1 << 9;
    /// On the list of those that wait for a slot.
    pub(crate) const ON_STARVED: u16 = 1 << 10;
    /// Any list. An entry stands on one at most, so one link is enough.
    pub(crate) const ON_ANY: u16 = ON_RUN | ON_DONE | ON_STARVED;
}
use flag::*;

/// No entry.
const NIL: u32 = u32::MAX;

impl<S> Entry<S> {
    /// A free entry.
    pub const fn new() -> Self {
        Entry {
            socket: None,
            generation: 0,
            next: NIL,
            flags: 0,
            rx: None,
            tx: None,
        }
    }

    /// Whether any of `flags` is set.
    pub(super) fn has(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }

    pub(super) fn set(&mut self, flags: u16) {
        self.flags |= flags;
    }

    pub(super) fn clear(&mut self, flags: u16) {
        self.flags &= !flags;
    }

    /// The name of whoever has this entry now, which is the one at `index`.
    pub(super) fn name(&self, index: u32) -> PeerId {
        PeerId {
            index,
            generation: self.generation,
        }
    }

    /// Notes what an event tells.
    #[inline(always)]
    pub(super) fn note(&mut self, event: Event) {
        let when = |is: bool, flags: u16| if is { flags } else { 0 };
        self.set(when(event.readable, READABLE) | when(event.writable, WRITABLE));
        if event.ended | event.broken {
            cold_path();
            self.set(READABLE | when(event.ended, ENDED));
            self.set(when(event.broken, BROKEN | WRITABLE));
        }
    }

    /// Whether it is on no list and belongs on none: a quick look, which says no of some that do
    /// not belong on any either.
    #[inline(always)]
    pub(super) fn is_at_rest(&self) -> bool {
        const BUSY: u16 = SENT | TELL | READABLE | BROKEN | ON_ANY;
        !self.has(BUSY) && self.tx.is_none() && self.socket.is_some()
    }

    /// Whether a receive is in flight that a system call may finish now. One without a buffer
    /// waits while a send is in flight: the slot that it would take has a send part too.
    pub(super) fn may_read(&self) -> bool {
        self.has(WANTS)
            && self.has(READABLE)
            && !self.has(LOST)
            && (self.rx.is_some() || self.tx.is_none())
    }

    /// Whether a send is in flight that a system call may bring forward now.
    pub(super) fn may_write(&self) -> bool {
        self.is_sending() && self.has(WRITABLE) && !self.has(LOST)
    }

    /// Whether a send is in flight and not finished.
    pub(super) fn is_sending(&self) -> bool {
        self.tx.is_some() && !self.has(SENT)
    }

    /// Whether something is to be reported.
    pub(super) fn is_done(&self) -> bool {
        self.has(SENT | TELL)
    }

    /// Whether it is broken and no call is due that would tell: the exchange is deferred. Looked at
    /// in a wait, when the worker had its chance to submit something.
    pub(super) fn is_left_broken(&self) -> bool {
        self.has(BROKEN) && !self.has(WANTS | LOST | SENT) && self.tx.is_none()
    }

    /// Whether only a slot is missing. A broken connection waits for none: it is reported without.
    pub(super) fn needs_slot(&self) -> bool {
        self.may_read()
            && self.rx.is_none()
            && !self.is_done()
            && !self.may_write()
            && !self.has(BROKEN)
    }

    /// A call said that the connection is gone.
    pub(super) fn lose(&mut self) {
        self.set(LOST | TELL);
    }

    /// Gives back what is in flight, finished or not, and forgets about it.
    pub(super) fn take_in_flight(&mut self) -> InFlight {
        self.clear(WANTS | SENT);
        InFlight {
            rx: self.rx.take(),
            tx: self.tx.take(),
        }
    }
}

impl<S> Default for Entry<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> fmt::Debug for Entry<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("open", &self.socket.is_some())
            .field("generation", &self.generation)
            .field("flags", &format_args!("{:#b}", self.flags))
            .finish_non_exhaustive()
    }
}

/// First in, first out, linked through the entries: cannot overflow.
#[derive(Debug)]
pub(super) struct List {
    head: u32,
    tail: u32,
}

impl List {
    pub(super) const EMPTY: List = List {
        head: NIL,
        tail: NIL,
    };

    pub(super) fn is_empty(&self) -> bool {
        self.head == NIL
    }

    pub(super) fn take(&mut self) -> List {
        core::mem::replace(self, List::EMPTY)
    }
}

/// All entries and their lists.
///
/// Each entry is on one list at most: free, something to try (`run`), something to report
/// (`done`), or waiting for a slot (`starved`). [`settle`](Self::settle) puts an entry that is on
/// none where it belongs. An entry that a close or an event would move stays where it is linked
/// until the list gets to it, which is within the next turn: `run` and `done` are emptied in every
/// turn, and `starved` is gone through once if any such entry is on it (`sweep_due`). (Links in
/// both directions would move it at once, but cost 8 bytes for each connection.)
#[derive(Debug)]
pub(super) struct Peers<'m, S> {
    entries: &'m mut [Entry<S>],
    /// Last in, first out: few connections stay within few cache lines.
    free: u32,
    pub(super) run: List,
    pub(super) done: List,
    pub(super) starved: List,
    pub(super) sweep_due: bool,
}

impl<'m, S> Peers<'m, S> {
    pub(super) fn new(entries: &'m mut [Entry<S>]) -> Self {
        let mut free = NIL;
        // The highest indices are never used, so no name looks like a reserved token.
        let count = entries.len().min((NIL - 2) as usize);
        let (entries, _) = entries.split_at_mut_checked(count).unwrap_or_default();
        for (index, entry) in (0..count as u32).zip(entries.iter_mut()).rev() {
            *entry = Entry::new();
            entry.next = core::mem::replace(&mut free, index);
        }
        Peers {
            entries,
            free,
            run: List::EMPTY,
            done: List::EMPTY,
            starved: List::EMPTY,
            sweep_due: false,
        }
    }

    /// Whether a connection could be opened.
    pub(super) fn has_room(&self) -> bool {
        self.free != NIL
    }

    pub(super) fn at(&mut self, index: u32) -> Option<&mut Entry<S>> {
        self.entries.get_mut(index as usize)
    }

    /// The entry of an open connection. None: `peer` is closed.
    pub(super) fn find(&mut self, peer: PeerId) -> Option<&mut Entry<S>> {
        self.at(peer.index)
            .filter(|entry| entry.generation == peer.generation && entry.socket.is_some())
    }

    pub(super) fn socket(&self, peer: PeerId) -> Option<&S> {
        let entry = self.entries.get(peer.index as usize)?;
        let socket = entry.socket.as_ref()?;
        (entry.generation == peer.generation).then_some(socket)
    }

    /// Takes a free entry for `socket`, which comes back if there is none.
    pub(super) fn open(&mut self, socket: S) -> Result<PeerId, S> {
        let index = self.free;
        let Some(entry) = self.entries.get_mut(index as usize) else {
            return Err(socket);
        };
        self.free = entry.next;
        entry.next = NIL;
        entry.socket = Some(socket);
        // A new socket has room to send. Whether bytes are there already its first edge tells,
        // which spares the read that would mostly come too early.
        entry.flags = WRITABLE;
        Ok(entry.name(index))
    }

    /// Frees the entry of `peer`; its name and its events hit nobody from now on.
    pub(super) fn close(&mut self, peer: PeerId) -> Option<(S, InFlight)> {
        let entry = self.find(peer)?;
        let socket = entry.socket.take()?;
        let in_flight = entry.take_in_flight();
        entry.generation = entry.generation.wrapping_add(1);
        entry.flags &= ON_ANY;
        self.settle(peer.index);
        Some((socket, in_flight))
    }

    /// Puts the entry on the list where it belongs now.
    // Not inlined: on the way of a usual request there is nothing to settle.
    #[inline(never)]
    pub(super) fn settle(&mut self, index: u32) {
        let Some(entry) = self.at(index) else { return };
        let closed = entry.socket.is_none();
        let done = entry.is_done();
        if entry.has(ON_STARVED) {
            self.sweep_due |= !entry.needs_slot();
        } else if entry.has(ON_ANY) {
            // It is settled again when its turn comes.
        } else if closed {
            let free = core::mem::replace(&mut self.free, index);
            if let Some(entry) = self.at(index) {
                entry.next = free;
            }
        } else if done {
            Self::push(self.entries, &mut self.done, index, ON_DONE);
        } else if entry.may_read() || entry.may_write() || entry.is_left_broken() {
            Self::push(self.entries, &mut self.run, index, ON_RUN);
        }
    }

    /// Puts an entry that is on no list behind those that wait for a slot.
    pub(super) fn starve(&mut self, index: u32) {
        if self.at(index).is_some_and(|entry| !entry.has(ON_ANY)) {
            Self::push(self.entries, &mut self.starved, index, ON_STARVED);
        }
    }

    /// Takes the first entry off a list that was taken with [`List::take`].
    pub(super) fn pop(&mut self, list: &mut List) -> Option<u32> {
        Self::unlink(self.entries, list)
    }

    pub(super) fn pop_done(&mut self) -> Option<u32> {
        Self::unlink(self.entries, &mut self.done)
    }

    pub(super) fn pop_starved(&mut self) -> Option<u32> {
        Self::unlink(self.entries, &mut self.starved)
    }

    /// Goes once through those that wait for a slot and moves away who waits no longer. Costs one
    /// step for each that waits, however many go.
    pub(super) fn sweep(&mut self) {
        if !core::mem::take(&mut self.sweep_due) {
            return;
        }
        let mut all = self.starved.take();
        while let Some(index) = self.pop(&mut all) {
            if self.at(index).is_some_and(|entry| entry.needs_slot()) {
                self.starve(index);
            } else {
                self.settle(index);
            }
        }
    }

    fn push(entries: &mut [Entry<S>], list: &mut List, index: u32, on: u16) {
        let Some(entry) = entries.get_mut(index as usize) else {
            return;
        };
        entry.set(on);
        entry.next = NIL;
        match entries.get_mut(list.tail as usize) {
            Some(last) => last.next = index,
            None => list.head = index,
        }
        list.tail = index;
    }

    fn unlink(entries: &mut [Entry<S>], list: &mut List) -> Option<u32> {
        let index = list.head;
        let entry = entries.get_mut(index as usize)?;
        list.head = core::mem::replace(&mut entry.next, NIL);
        if list.head == NIL {
            list.tail = NIL;
        }
        entry.clear(ON_ANY);
        Some(index)
    }
}
