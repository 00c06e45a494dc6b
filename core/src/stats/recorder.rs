//! What a worker holds to count events.
//!
//! Progress: wait-free, but for the event of a new user, which is lock-free (see the
//! [module](super)).

use super::amount::Amount;
use super::half::Chunk;
use super::register::fence;
use super::shared::Stats;
use super::snapshot::Refused;
use super::users::Credit;
use super::word::Word;
use super::worker::Shard;
use core::sync::atomic::Ordering::{Acquire, Release, SeqCst};

/// One worker's right to count events; at most one per index exists at a time.
///
/// It never waits for anybody: a call is bounded work, whatever other workers and coordinators do
/// (see the [module](super)). In return the worker has two duties, or snapshots will wait for it:
/// [`turn`](Recorder::turn) once per turn of its loop, and [`offline`](Recorder::offline) before it
/// blocks. Dropping the recorder is going offline for good.
#[derive(Debug)]
pub struct Recorder<'s> {
    pub(crate) stats: &'s Stats<'s>,
    shard: &'s Shard,
    /// What `shard.here` says: the word we work under, or OFFLINE.
    here: u64,
    /// Where the next new user's cell goes.
    chunk: Chunk,
}

impl<'s> Recorder<'s> {
    /// For a shard that the caller has just taken.
    pub(crate) fn new(stats: &'s Stats<'s>, shard: &'s Shard) -> Self {
        let mut recorder = Self {
            stats,
            shard,
            here: Word::OFFLINE,
            chunk: Chunk::NONE,
        };
        recorder.turn();
        recorder
    }

    /// Counts one event: one request, its amount, its user. Wholly, or not at all.
    ///
    /// Call it after the bytes of the event were read and before it is answered: the event belongs
    /// to the phase that is current in between, which is what makes snapshots linearizable. An
    /// empty id is a user like any other; whoever wants to refuse it does so before.
    ///
    /// # Errors
    ///
    /// [`Refused`]; nothing was recorded then, not even the refusal: that is
    /// [`refuse`](Recorder::refuse), so that all refusals of a service are counted in one place.
    #[inline]
    pub fn record(&mut self, id: &[u8], amount: Amount) -> Result<(), Refused> {
        let word = self.current();
        self.record_under(word, id, amount)
    }

    /// Counts one event that was refused, for whatever reason.
    #[inline]
    pub fn refuse(&mut self) {
        let word = self.current();
        self.shard.book(word.phase()).refusal();
    }

    /// Moves to the current phase if there is a new one, and comes online after
    /// [`offline`](Recorder::offline). A load and a compare if there is nothing to do.
    ///
    /// [`record`](Recorder::record) and [`refuse`](Recorder::refuse) do this by themselves; the
    /// worker does it once per turn of its loop all the same, so that a snapshot does not wait for
    /// one that is busy with other things.
    #[inline]
    pub fn turn(&mut self) {
        self.current();
    }

    /// Says that this worker is about to block. Snapshots do not wait for it then, until the next
    /// [`turn`](Recorder::turn).
    #[inline]
    pub fn offline(&mut self) {
        self.here = Word::OFFLINE;
        // Release: whoever sees OFFLINE sees all that was booked before.
        self.shard.here.store(Word::OFFLINE, Release);
    }

    /// The part of [`record`](Recorder::record) after the word was loaded: other threads may have
    /// moved it on since, and may do so at any point of this.
    #[inline]
    pub(crate) fn record_under(
        &mut self,
        word: Word,
        id: &[u8],
        amount: Amount,
    ) -> Result<(), Refused> {
        let book = self.shard.book(word.phase());
        match self.stats.users.note(word, id, &mut self.chunk)? {
            Credit::Known => {}
            Credit::New => book.user_more(),
            Credit::Taken { from } => {
                // Somebody a phase ahead met this user first and booked it there, but it belongs
                // to our phase. Our own book of that later phase is ours to write already, and was
                // emptied: the word only moved there after the book's earlier use was folded.
                book.user_more();
                self.shard.book(from).user_less();
            }
        }
        book.event(amount);
        Ok(())
    }

    /// The word to work under; announced.
    #[inline]
    pub(crate) fn current(&mut self) -> Word {
        // Acquire: with the phase come its empty book and the user set of its era.
        let word = self.stats.word.0.load(Acquire);
        if word == self.here {
            Word::from_bits(word)
        } else {
            self.move_to(word)
        }
    }

    #[cold]
    fn move_to(&mut self, mut word: u64) -> Word {
        // Release: whoever sees us in the new phase sees all that was booked in the old one, which
        // we will not write to again.
        self.shard.here.store(word, Release);
        if self.here == Word::OFFLINE {
            // Nobody had to wait for us, so the word may have moved on since it was loaded, any
            // number of times. Now that we are announced: either the coordinator's look at `here`
            // finds us and waits, or our second look at the word finds what it stored. Each side
            // stores, then looks at what the other one stores, and only a full fence between the
            // two on both sides keeps both from missing each other.
            fence(SeqCst);
            let again = self.stats.word.0.load(Acquire);
            if again != word {
                self.shard.here.store(again, Release);
                word = again;
            }
        }
        self.here = word;
        Word::from_bits(word)
    }
}

impl Drop for Recorder<'_> {
    fn drop(&mut self) {
        self.offline();
        // Release: the next recorder of this index goes on in our books.
        self.shard.taken.store(0, Release);
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::capacity::Capacity;
    use super::super::hash::Key;
    use super::super::register::AtomicU64;
    use super::*;
    use core::sync::atomic::Ordering::Relaxed;
    use std::vec::Vec;

    #[test]
    fn a_worker_that_wakes_under_an_old_word_finds_the_new_one() {
        let capacity = Capacity {
            users_max: 1,
            id_bytes_max: 1,
        };
        let zeros = |words| -> Vec<AtomicU64> { (0..words).map(|_| AtomicU64::new(0)).collect() };
        let shards = [Shard::new()];
        let (table, arena) = (
            zeros(capacity.table_words()),
            zeros(capacity.arena_words(1)),
        );
        let stats = Stats::new(&shards, &table, &arena, capacity, Key::new(1, 2)).unwrap();
        let mut recorder = stats.recorder(0).unwrap();
        let old = recorder.current();
        recorder.offline();
        // Nobody is waited for; it has loaded the word before that, and says so only now.
        assert!(stats.snapshot().poll_from_outside(&stats).is_some());
        let new = old.next_phase();
        assert_eq!(recorder.move_to(old.bits()), new);
        assert_eq!(shards[0].here.load(Relaxed), new.bits());
        assert_eq!(recorder.here, new.bits());
    }
}
