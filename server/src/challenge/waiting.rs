//! Requests for statistics that were put off: whose ticket is whose.

use barewire_core::driver::PeerId;
use barewire_core::stats::Ticket;

/// Requests that one worker keeps waiting at most. They wait for microseconds, so more at a time
/// means that a worker is stuck; then it is better to say so.
const WAITING_MAX: usize = 64;

/// The tickets of deferred requests, in a place of fixed size.
#[derive(Debug)]
pub(super) struct Waiting(Vec<(PeerId, Ticket)>);

impl Waiting {
    pub(super) fn new() -> Waiting {
        Waiting(Vec::with_capacity(WAITING_MAX))
    }

    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= WAITING_MAX
    }

    /// There is room: it was asked for before the ticket was taken.
    pub(super) fn put(&mut self, peer: PeerId, ticket: Ticket) {
        debug_assert!(!self.is_full());
        self.0.push((peer, ticket));
    }

    pub(super) fn take(&mut self, peer: PeerId) -> Option<Ticket> {
        let at = self.0.iter().position(|(other, _)| *other == peer)?;
        Some(self.0.swap_remove(at).1)
    }
}
