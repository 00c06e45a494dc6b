//! How many connections a worker has, for the thread that deals them out.
//!
//! ```text
//! acceptor:  given     its own word: what it has put into the ring so far
//! worker:    closed    what it has closed of that, whatever it was
//!            refused   how many it has open that are told 503 and go
//! load = given - closed - refused: connections in the ring and those that are served
//! ```
//!
//! Every word has one writer, and a connection that lies in the ring counts already, so the
//! acceptor never deals a burst to one worker because that has not looked yet. What the worker does
//! meanwhile is told late: it is taken for fuller than it is, for as long as its turn lasts.
//!
//! Progress: wait-free on both sides, one store or load of each word.

use std::sync::atomic::{AtomicU32, Ordering};

/// What a worker tells. On lines of its own (128 bytes: some processors fetch 64 in pairs), as the
/// acceptor reads it for each connection.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Occupancy {
    closed: AtomicU32,
    refused: AtomicU32,
}

impl Occupancy {
    /// The worker has closed one more. Only the worker says so.
    pub(crate) fn closes(&self) {
        let closed = self.closed.load(Ordering::Relaxed).wrapping_add(1);
        self.closed.store(closed, Ordering::Relaxed);
    }

    /// The worker has so many open that are refused. Only the worker says so.
    pub(crate) fn refuses(&self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.refused.store(count, Ordering::Relaxed);
    }

    /// Connections that the worker serves or will, of `given` ones (modulo 2^32) that were given to
    /// it. Of the two words of the worker one may be newer than the other, so it may be too low by
    /// one for a moment.
    pub(crate) fn load(&self, given: u32) -> u32 {
        let closed = self.closed.load(Ordering::Relaxed);
        let refused = self.refused.load(Ordering::Relaxed);
        let load = given.wrapping_sub(closed).wrapping_sub(refused);
        // Below zero by that one.
        if load > i32::MAX as u32 { 0 } else { load }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_what_is_on_its_way_and_what_is_served() {
        let occupancy = Occupancy::default();
        assert_eq!(occupancy.load(5), 5);
        occupancy.refuses(2);
        assert_eq!(occupancy.load(5), 3);
        // One that was refused goes.
        occupancy.refuses(1);
        occupancy.closes();
        assert_eq!(occupancy.load(5), 3);
        occupancy.closes();
        assert_eq!(occupancy.load(5), 2);
    }

    #[test]
    fn counts_may_wrap_and_a_word_may_be_late() {
        let occupancy = Occupancy::default();
        occupancy.closed.store(u32::MAX - 1, Ordering::Relaxed);
        assert_eq!(occupancy.load(3), 5);
        occupancy.closes();
        occupancy.closes();
        assert_eq!(occupancy.closed.load(Ordering::Relaxed), 0);
        assert_eq!(occupancy.load(3), 3);
        occupancy.refuses(4);
        assert_eq!(occupancy.load(3), 0, "and not four thousand millions");
    }
}
