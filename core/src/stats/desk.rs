//! The coordinator's desk: where phases are ended and their books folded, by one at a time.
//!
//! Progress: a lock that is tried and never waited for, so every call is wait-free; but while its
//! holder is stopped, no snapshot and no reset is answered. No recorder comes near it.

use super::register::{Register, fence};
use super::shared::Stats;
use super::snapshot::Snapshot;
use super::ticket::{Outcome, Ticket, Work};
use super::word::Word;
use super::worker::Book;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

/// What only the holder of `busy` reads and writes. Nobody waits for it: who finds it taken comes
/// back later.
#[repr(align(128))]
#[derive(Debug)]
pub(crate) struct Desk {
    /// 1 while somebody is at it.
    busy: Register,
    /// The first phase that is not folded: the current one, or the one before it.
    unfolded: Register,
    /// Everything folded in this era.
    base: Book,
    /// The state when the last folded phase ended.
    latest: Book,
    /// What the last reset removed, and the phase that it ended.
    removed: Book,
    removed_with: Register,
}

impl Desk {
    pub(crate) fn new(first: Word) -> Self {
        Self {
            busy: Register::new(0),
            unfolded: Register::new(first.phase()),
            base: Book::new(),
            latest: Book::new(),
            removed: Book::new(),
            removed_with: Register::new(0),
        }
    }
}

impl Stats<'_> {
    /// See [`Ticket::poll`]. `turn` moves the caller's own recorder to the current phase.
    pub(crate) fn poll(&self, ticket: &mut Ticket, turn: impl FnMut()) -> Option<Outcome> {
        let busy = &self.desk.busy;
        // Acquire and Release: the desk passes on as its last holder left it.
        busy.compare_exchange(0, 1, Acquire, Relaxed).ok()?;
        let outcome = self.work_at_desk(ticket, turn);
        busy.store(0, Release);
        outcome
    }

    /// Finishes the phase that is ending, if one is; if that was not late enough for the ticket,
    /// ends the current one and tries to finish that: four steps at most.
    fn work_at_desk(&self, ticket: &mut Ticket, mut turn: impl FnMut()) -> Option<Outcome> {
        for _ in 0..4 {
            turn();
            let word = Word::from_bits(self.word.0.load(Relaxed));
            if let Some(outcome) = self.outcome(ticket, word) {
                return Some(outcome);
            }
            if self.desk.unfolded.load(Relaxed) == word.phase() {
                self.end_phase(ticket, word);
            } else if self.all_moved_to(word) {
                self.fold(word);
            } else {
                return None;
            }
        }
        None
    }

    /// Whether every worker has left the phases before `word`, or is offline.
    fn all_moved_to(&self, word: Word) -> bool {
        // The other half of the handshake in `Recorder::move_to`: we know that the word was stored,
        // now we look at `here`. Needed at every look, because it need not be us who stored it.
        fence(SeqCst);
        self.shards.iter().all(|shard| {
            // Acquire: with the new phase we see everything booked in the old one.
            let here = shard.here.load(Acquire);
            here == word.bits() || here == Word::OFFLINE
        })
    }

    /// Adds up the books of the phase before `word` and empties them for the phase after it.
    fn fold(&self, word: Word) {
        let desk = &self.desk;
        let phase = desk.unfolded.load(Relaxed);
        let mut state = desk.base.read();
        for shard in self.shards {
            let book = shard.book(phase);
            state = state.plus(&book.read());
            book.write(&Snapshot::EMPTY);
        }
        desk.latest.write(&state);
        if self.users.era_began(word) == word.phase() {
            desk.removed.write(&state);
            desk.removed_with.store(phase, Relaxed);
            state = Snapshot::EMPTY;
        }
        desk.base.write(&state);
        desk.unfolded.store(word.phase(), Relaxed);
    }

    /// The ticket's answer, if the phases folded so far reach beyond its moment.
    fn outcome(&self, ticket: &Ticket, word: Word) -> Option<Outcome> {
        let desk = &self.desk;
        let unfolded = desk.unfolded.load(Relaxed);
        match ticket.work {
            Work::Snapshot => {
                // The last folded phase ended after the ticket was asked for.
                let late_enough = ticket.asked_in < unfolded;
                late_enough.then(|| Outcome::State(desk.latest.read()))
            }
            Work::Reset { ended: Some(phase) } => (phase < unfolded).then(|| {
                let ours = desk.removed_with.load(Relaxed) == phase;
                Outcome::Cleared(ours.then(|| desk.removed.read()))
            }),
            Work::Reset { ended: None } => {
                // Somebody else's reset came after ours was asked for: ours takes place right
                // behind it and removes nothing.
                let began = self.users.era_began(word);
                let shared = ticket.asked_in < began && began <= unfolded;
                shared.then_some(Outcome::Cleared(None))
            }
        }
    }

    /// The moment itself: events from here on belong to the next phase.
    fn end_phase(&self, ticket: &mut Ticket, word: Word) {
        let next = match &mut ticket.work {
            Work::Snapshot => word.next_phase(),
            Work::Reset { ended } => {
                *ended = Some(word.phase());
                let next = word.next_era();
                self.users.begin_era(next);
                next
            }
        };
        // Release: with the word come the emptied books and the emptied half.
        self.word.0.store(next.bits(), Release);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::amount::Amount;
    use super::super::capacity::Capacity;
    use super::super::hash::Key;
    use super::super::register::AtomicU64;
    use super::super::worker::Shard;
    use super::*;
    use std::vec::Vec;

    fn with_two_workers(test: impl FnOnce(&Stats<'_>)) {
        const CAPACITY: Capacity = Capacity {
            users_max: 8,
            id_bytes_max: 8,
        };
        let zeros = |words| -> Vec<AtomicU64> { (0..words).map(|_| AtomicU64::new(0)).collect() };
        let shards = [Shard::new(), Shard::new()];
        let table = zeros(CAPACITY.table_words());
        let arena = zeros(CAPACITY.arena_words(2));
        test(&Stats::new(&shards, &table, &arena, CAPACITY, Key::new(1, 2)).unwrap());
    }

    fn total(outcome: Option<Outcome>) -> Option<u64> {
        match outcome? {
            Outcome::State(state) | Outcome::Cleared(Some(state)) => Some(state.total),
            Outcome::Cleared(None) => None,
        }
    }

    #[test]
    fn a_reset_that_finds_another_one_done_removes_nothing_more() {
        with_two_workers(|stats| {
            let one = Amount::from_small(false, 1, 0).unwrap();
            let mut worker = stats.recorder(0).unwrap();
            let mut late = stats.recorder(1).unwrap();
            worker.record(b"a", one).unwrap();
            let (mut first, mut second) = (stats.reset(), stats.reset());
            // The late worker may still count for what the first one removes: no answer to either.
            assert_eq!(first.poll(&mut worker), None);
            assert_eq!(second.poll(&mut worker), None);
            late.turn();
            assert_eq!(total(first.poll(&mut worker)), Some(1));
            worker.record(b"b", one).unwrap();
            assert_eq!(second.poll(&mut worker), Some(Outcome::Cleared(None)));
            late.offline();
            assert_eq!(total(stats.snapshot().poll(&mut worker)), Some(1));
        });
    }
}
