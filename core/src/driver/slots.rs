//! The free list of slots.

use crate::buffer::Slot;

/// The free slots of one worker, last in, first out: the active set stays hot in the caches, and
/// pages that were never needed stay untouched.
///
/// Single owner, no atomics: a slot that a driver took comes home through a completion.
#[derive(Debug)]
pub struct Slots<'m> {
    places: &'m mut [Option<Slot>],
    free: usize,
    reserve: usize,
}

impl<'m> Slots<'m> {
    /// An empty list with room for `places.len()` slots.
    pub fn new(places: &'m mut [Option<Slot>]) -> Self {
        Slots {
            places,
            free: 0,
            reserve: 0,
        }
    }

    /// Keeps the last `count` slots for [`take_reserved`](Self::take_reserved): a full server still
    /// has something to refuse with.
    pub fn reserve(&mut self, count: usize) {
        self.reserve = count;
    }

    /// Takes the slot that was given back last, emptied: nothing of one connection is ever seen by
    /// the next. `None`: all are in use, but for the reserve.
    pub fn take(&mut self) -> Option<Slot> {
        match self.available() {
            0 => None,
            _ => self.take_reserved(),
        }
    }

    /// As [`take`](Self::take), but from the reserve too.
    pub fn take_reserved(&mut self) -> Option<Slot> {
        let last = self.free.checked_sub(1)?;
        let slot = self.places.get_mut(last)?.take()?;
        self.free = last;
        // Here and not when it comes home: pages of slots that were never needed stay untouched.
        slot.rx.reset();
        slot.tx.reset();
        Some(slot)
    }

    /// Gives a slot back.
    ///
    /// A slot beyond the room of the list is dropped; that cannot happen to slots that came from
    /// the same list.
    pub fn give(&mut self, slot: Slot) {
        if let Some(place) = self.places.get_mut(self.free) {
            *place = Some(slot);
            self.free = self.free.saturating_add(1);
        }
    }

    /// Slots that are free now, besides the reserve.
    pub fn available(&self) -> usize {
        self.free.saturating_sub(self.reserve)
    }

    /// Slots that are free now, all of them.
    pub fn free(&self) -> usize {
        self.free
    }

    /// Slots that the list was made for.
    pub fn capacity(&self) -> usize {
        self.places.len()
    }
}
