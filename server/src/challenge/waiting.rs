//! Requests for statistics that were put off: whose ticket is whose.

use std::fmt;

use barewire_core::driver::PeerId;
use barewire_core::stats::Ticket;

/// Requests that one worker keeps waiting at most. They wait for microseconds, so more at a time
/// means that a worker is stuck; then it is better to say so.
const WAITING_MAX: usize = 64;

/// The tickets of deferred requests, in a place of fixed size: within the application, and so on
/// the stack of its worker, where nothing has to be touched first.
pub(super) struct Waiting {
    /// The first `len` are there.
    tickets: [Option<(PeerId, Ticket)>; WAITING_MAX],
    len: usize,
}

impl Waiting {
    pub(super) fn new() -> Waiting {
        Waiting {
            tickets: [const { None }; WAITING_MAX],
            len: 0,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.len >= WAITING_MAX
    }

    /// There is room: it was asked for before the ticket was taken.
    pub(super) fn put(&mut self, peer: PeerId, ticket: Ticket) {
        debug_assert!(!self.is_full());
        if let Some(place) = self.tickets.get_mut(self.len) {
            *place = Some((peer, ticket));
            self.len += 1;
        }
    }

    pub(super) fn take(&mut self, peer: PeerId) -> Option<Ticket> {
        let there = self.tickets.get_mut(..self.len)?;
        let is_its = |place: &Option<(PeerId, Ticket)>| {
            place.as_ref().is_some_and(|(other, _)| *other == peer)
        };
        let at = there.iter().position(is_its)?;
        // The last one fills the gap.
        there.swap(at, self.len - 1);
        self.len -= 1;
        let (_, ticket) = self.tickets.get_mut(self.len)?.take()?;
        Some(ticket)
    }
}

impl fmt::Debug for Waiting {
    /// Those that wait; the simulation looks here for what is left over.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let there = self.tickets.get(..self.len).unwrap_or_default();
        f.debug_tuple("Waiting").field(&there).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::{Board, Options};

    #[test]
    fn every_ticket_goes_to_its_own_peer_once() {
        let board = Board::new(Options::default(), 1).unwrap();
        let peer = |index| PeerId {
            index,
            generation: index,
        };
        let mut waiting = Waiting::new();
        for index in 0..WAITING_MAX as u32 {
            assert!(!waiting.is_full());
            waiting.put(peer(index), board.stats.snapshot());
        }
        assert!(waiting.is_full());
        assert!(waiting.take(peer(64)).is_none());
        // From both ends and the middle, each once.
        for index in (0..64).map(|i| i * 37 % 64) {
            assert!(waiting.take(peer(index)).is_some(), "{index}");
            assert!(waiting.take(peer(index)).is_none(), "{index}");
        }
        assert_eq!(format!("{waiting:?}"), "Waiting([])");
        assert!(waiting.tickets.iter().all(Option::is_none));
        let other = PeerId {
            index: 1,
            generation: 2,
        };
        waiting.put(peer(1), board.stats.reset());
        assert!(waiting.take(other).is_none() && waiting.take(peer(1)).is_some());
    }
}
