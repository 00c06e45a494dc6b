//! Who came first among those that could give way.

use std::collections::VecDeque;

use crate::platform::lock;

/// Connections that hold a slot and keep the server waiting, oldest wait first.
///
/// A mark is made when such a wait begins and is never taken out when it ends: whoever goes through
/// them finds out whether it still holds. Each slot has one wait at a time, and each wait one mark,
/// so of twice as many marks at least half are stale when there is no room for another one, and
/// sweeping them out costs two steps for each mark that was made.
#[derive(Debug)]
pub struct Waits {
    marks: VecDeque<Mark>,
    marks_max: usize,
}

/// A wait: whose, and when it is due, which tells it from the next one of the same connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) index: u32,
    pub(super) due_ms: u32,
}

impl Waits {
    /// None yet, with room for those that hold `slots` slots.
    pub fn new(slots: usize) -> Waits {
        let marks_max = Self::marks(slots);
        Waits {
            marks: VecDeque::with_capacity(marks_max),
            marks_max,
        }
    }

    /// Bytes of the marks for `slots` slots: 16 for each.
    pub(crate) fn bytes(slots: usize) -> usize {
        Self::marks(slots).saturating_mul(size_of::<Mark>())
    }

    fn marks(slots: usize) -> usize {
        // At least a few, so that the sweeps of a tiny server are rare too.
        slots.max(8).saturating_mul(2)
    }

    /// Touches and locks its memory, if that is allowed.
    pub(crate) fn hold(&mut self) -> bool {
        let nobody = Mark {
            index: 0,
            due_ms: 0,
        };
        self.marks.resize(self.marks_max, nobody);
        let locked = lock(self.marks.as_slices().0);
        self.marks.clear();
        locked
    }

    /// Puts a wait at the end. `holds` tells whether a mark is still true.
    pub(super) fn push(&mut self, mark: Mark, holds: impl FnMut(&Mark) -> bool) {
        if self.marks.len() == self.marks_max {
            self.marks.retain(holds);
        }
        // Always: see above. A mark too many would make the queue grow, and that allocates.
        if self.marks.len() < self.marks_max {
            self.marks.push_back(mark);
        }
    }

    /// So many marks are there, stale ones too.
    pub(super) fn len(&self) -> usize {
        self.marks.len()
    }

    /// Takes the oldest.
    pub(super) fn pop(&mut self) -> Option<Mark> {
        self.marks.pop_front()
    }

    /// Puts back one that was taken, behind the others until [`restore`](Self::restore).
    pub(super) fn put_back(&mut self, mark: Mark) {
        if self.marks.len() < self.marks_max {
            self.marks.push_back(mark);
        }
    }

    /// Brings the last `count`, which were put back, to the front again, in their order.
    pub(super) fn restore(&mut self, count: usize) {
        self.marks.rotate_right(count.min(self.marks.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(index: u32) -> Mark {
        let due_ms = 7;
        Mark { index, due_ms }
    }

    #[test]
    fn the_oldest_comes_first_also_after_some_were_put_back() {
        let mut waits = Waits::new(1);
        (0..5).for_each(|index| waits.push(mark(index), |_| true));
        for index in 0..2 {
            let taken = waits.pop().unwrap();
            assert_eq!(taken, mark(index));
            waits.put_back(taken);
        }
        assert_eq!(waits.pop(), Some(mark(2)));
        waits.restore(2);
        let order: Vec<u32> = std::iter::from_fn(|| waits.pop().map(|m| m.index)).collect();
        assert_eq!(order, [0, 1, 3, 4]);
        waits.restore(0);
    }

    #[test]
    fn full_of_marks_it_loses_what_is_stale_and_never_grows() {
        let mut waits = Waits::new(8);
        let room = waits.marks.capacity();
        for index in 0..10_000 {
            // The last eight hold.
            waits.push(mark(index), |other| other.index + 8 > index);
            assert!(waits.marks.contains(&mark(index)), "{index}");
        }
        assert_eq!(waits.marks.capacity(), room);
        assert!(waits.len() <= 16);
    }
}
