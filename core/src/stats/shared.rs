//! The statistics of one server, shared by its workers.

use super::capacity::Capacity;
use super::desk::Desk;
use super::hash::Key;
use super::recorder::Recorder;
use super::register::{AtomicU64, Register};
use super::ticket::Ticket;
use super::users::Users;
use super::word::Word;
use super::worker::{Line, Shard};
use core::fmt;
use core::sync::atomic::Ordering::{AcqRel, Acquire};

/// Exact statistics over the caller's memory, shared by all workers.
///
/// See the [module](super) for what it promises and how.
pub struct Stats<'m> {
    /// The era and phase that events belong to. Everybody reads it; only who holds the desk writes.
    pub(crate) word: Line,
    pub(crate) desk: Desk,
    pub(crate) users: Users<'m>,
    pub(crate) shards: &'m [Shard],
}

impl<'m> Stats<'m> {
    /// Statistics for as many workers as there are shards.
    ///
    /// `table` and `arena` hold the users: [`Capacity::table_words`] and
    /// [`Capacity::arena_words`] words, all zero. Fresh pages of the operating system are exactly
    /// that, and are touched only as users come. `key` should be random.
    ///
    /// `None` if the memory is too small for the capacity, if the capacity is beyond what
    /// [`Capacity`] says, or with more than [`WORKERS_MAX`](super::WORKERS_MAX) shards.
    pub fn new(
        shards: &'m [Shard],
        table: &'m [AtomicU64],
        arena: &'m [AtomicU64],
        capacity: Capacity,
        key: Key,
    ) -> Option<Self> {
        let users = Users::new(&capacity, shards.len(), table, arena, key)?;
        Some(Self::begin(Word::FIRST, shards, users))
    }

    /// Statistics whose first word is this one: for tests of how words end.
    pub(crate) fn begin(word: Word, shards: &'m [Shard], users: Users<'m>) -> Self {
        users.begin_era(word);
        Self {
            word: Line(Register::new(word.bits())),
            desk: Desk::new(word),
            users,
            shards,
        }
    }

    /// The recorder of the worker with this index (from 0); `None` if there is no such shard, or
    /// its recorder exists already.
    pub fn recorder(&self, index: usize) -> Option<Recorder<'_>> {
        let shard = self.shards.get(index)?;
        // Acquire: go on in the books where the recorder before us left them.
        let taken = shard.taken.compare_exchange(0, 1, AcqRel, Acquire);
        taken.ok().map(|_| Recorder::new(self, shard))
    }

    /// Asks for a snapshot: a state that the statistics had at one moment between this call and
    /// the end of polling. Cheap, and nothing happens until the ticket is polled.
    pub fn snapshot(&self) -> Ticket {
        Ticket::snapshot(self.now())
    }

    /// Asks for a reset: at one moment between this call and the end of polling everything is
    /// set to zero. Nothing happens until the ticket is polled.
    pub fn reset(&self) -> Ticket {
        Ticket::reset(self.now())
    }

    fn now(&self) -> u64 {
        Word::from_bits(self.word.0.load(Acquire)).phase()
    }
}

impl fmt::Debug for Stats<'_> {
    /// Without the users: there may be a million.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stats")
            .field("word", &self.word.0)
            .field("workers", &self.shards.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;
    use std::vec::Vec;

    #[test]
    fn statistics_print_their_word_and_their_workers_and_no_user() {
        let zeros = |words| -> Vec<AtomicU64> { (0..words).map(|_| AtomicU64::new(0)).collect() };
        let capacity = Capacity {
            users_max: 10,
            id_bytes_max: 100,
        };
        let shards = [Shard::new(), Shard::new()];
        let table = zeros(capacity.table_words());
        let arena = zeros(capacity.arena_words(2));
        let stats = Stats::new(&shards, &table, &arena, capacity, Key::new(1, 2)).unwrap();
        let text = format!("{stats:?}");
        assert!(text.starts_with("Stats { word: "), "{text}");
        assert!(text.ends_with(", workers: 2, .. }"), "{text}");
        assert!(text.len() < 100, "{text}");
    }
}
