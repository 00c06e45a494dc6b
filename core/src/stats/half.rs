//! One half of the user set: its slots, its cells, and what of them is given out.

use super::capacity::{CHUNK_WORDS, LINE_SLOTS};
use super::hash::tail_word;
use super::register::{AtomicU64, Register};
use super::users::Credit;
use super::word::{PHASE_BITS, PHASE_MASK, TAGS, Word};
use super::worker::Line;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

/// Words of the arena that belong to one worker: the next cell goes there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk {
    /// The phase that began the era it was taken in; it is worth nothing in another one.
    began: u64,
    pub(super) next: usize,
    end: usize,
}

impl Chunk {
    pub(crate) const NONE: Self = Self {
        began: 0,
        next: 0,
        end: 0,
    };
}

/// Bits of the byte count in [`Half::reserved`]; the user count stands above them.
pub(super) const BYTES_BITS: u32 = 36;
pub(super) const BYTES_MASK: u64 = (1 << BYTES_BITS) - 1;

#[derive(Debug)]
pub(super) struct Half<'m> {
    /// The slots of the regions, one region behind the other.
    pub(super) table: &'m [AtomicU64],
    /// The slots that are looked at before those, in lines.
    pub(super) front: &'m [[AtomicU64; LINE_SLOTS]],
    pub(super) arena: &'m [AtomicU64],
    /// Places given out: users, and bytes of ids. Exact: what is not used is handed back.
    ///
    /// All workers write to this one word, but only for new users: in total as often as the set
    /// has places, which is a tenth of a second per era at its worst.
    pub(super) reserved: Line,
    /// Users published. Equal to the users in `reserved` when nobody is in between.
    pub(super) settled: Line,
    /// Words of the arena given out, in chunks.
    pub(super) taken: Line,
    /// The phase that began the era of this half. Changes only while nobody is in it.
    pub(super) began: Register,
    /// Where the next sweep goes on.
    pub(super) sweep: Register,
}

/// A cell that is written but not published.
#[derive(Clone, Copy)]
pub(super) struct Draft {
    pub(super) at: usize,
    pub(super) end: usize,
}

impl Half<'_> {
    /// Hands back the place of `id`, which somebody else has put into the set (or that found no
    /// slot). Its cell is written over by the next one: the chunk has not moved on.
    pub(super) fn give_back(&self, id: &[u8]) {
        let place = (1 << BYTES_BITS) | id.len() as u64;
        self.reserved.0.fetch_sub(place, AcqRel);
    }

    /// Writes a cell into the worker's chunk, or into a new one; `None`: the arena is used up.
    pub(super) fn write_cell(&self, id: &[u8], word: Word, chunk: &mut Chunk) -> Option<Draft> {
        let size = id.len().div_ceil(8).checked_add(1)?;
        let began = self.began.load(Relaxed);
        if chunk.began != began || chunk.end.saturating_sub(chunk.next) < size {
            *chunk = self.take_chunk(size, began)?;
        }
        let end = chunk.next.checked_add(size)?;
        let (head, body) = self.arena.get(chunk.next..end)?.split_first()?;
        head.store(((id.len() as u64) << PHASE_BITS) | word.phase(), Relaxed);
        let (words, tail) = id.as_chunks::<8>();
        let last = (!tail.is_empty()).then(|| tail_word(id));
        let words = words.iter().map(|word| u64::from_le_bytes(*word));
        for (cell, word) in body.iter().zip(words.chain(last)) {
            cell.store(word, Relaxed);
        }
        Some(Draft {
            at: chunk.next,
            end,
        })
    }

    fn take_chunk(&self, size: usize, began: u64) -> Option<Chunk> {
        let mut seen = self.taken.0.load(Relaxed);
        loop {
            let next = seen as usize;
            let left = self.arena.len().saturating_sub(next);
            if left < size {
                return None;
            }
            let end = next.checked_add(left.min(CHUNK_WORDS))?;
            // Relaxed: the words themselves carry nothing from one owner to another.
            match (self.taken.0).compare_exchange_weak(seen, end as u64, Relaxed, Relaxed) {
                Ok(_) => return Some(Chunk { began, next, end }),
                Err(now) => seen = now,
            }
        }
    }

    /// Whether the slot's cell holds `id`, whose [`tail_word`] is `tail`, and then what an event in
    /// `word`'s phase does to the number of users.
    #[inline(always)]
    pub(super) fn credit(&self, slot: u64, id: &[u8], tail: u64, word: Word) -> Option<Credit> {
        let cell = self.arena.get((slot & 0xffff_ffff) as usize..)?;
        let (head, body) = cell.split_first()?;
        let seen = head.load(Acquire);
        if seen >> PHASE_BITS != id.len() as u64 {
            return None;
        }
        let (words, bytes) = id.as_chunks::<8>();
        let (body, rest) = body.split_at_checked(words.len())?;
        let same = body
            .iter()
            .zip(words)
            .all(|(cell, word)| cell.load(Relaxed) == u64::from_le_bytes(*word));
        if !same || (!bytes.is_empty() && rest.first()?.load(Relaxed) != tail) {
            return None;
        }
        if seen & PHASE_MASK <= word.phase() {
            return Some(Credit::Known);
        }
        Some(take(head, seen, word))
    }

    /// Clears some slots for good, so that none keeps a tag until it comes again: a half is taken
    /// over `TAGS / 2` times until then, and each time so many slots are swept that all had their
    /// turn. (By default 69 slots for each reset.)
    pub(super) fn sweep_some(&self) {
        let front = self.front.as_flattened();
        let slots = (self.table.len() as u64).saturating_add(front.len() as u64);
        let step = slots.div_ceil(TAGS / 2 - 1);
        let mut at = self.sweep.load(Relaxed);
        for _ in 0..step {
            // Looked at first: a page that was never used stays untouched.
            let slot = match at.checked_sub(self.table.len() as u64) {
                None => self.table.get(at as usize),
                Some(at) => front.get(at as usize),
            };
            if let Some(slot) = slot
                && slot.load(Relaxed) != 0
            {
                slot.store(0, Relaxed);
            }
            at = at.wrapping_add(1);
            if at >= slots {
                at = 0;
            }
        }
        self.sweep.store(at, Relaxed);
    }
}

/// Credits the user of this cell to the phase of `word`, unless an earlier one has it.
#[cold]
#[inline(never)]
fn take(head: &AtomicU64, mut seen: u64, word: Word) -> Credit {
    // Phases at work are at most one apart, so this goes round twice at most: whoever was faster has
    // lowered it to our phase.
    loop {
        let from = seen & PHASE_MASK;
        if from <= word.phase() {
            return Credit::Known;
        }
        let lowered = (seen & !PHASE_MASK) | word.phase();
        match head.compare_exchange(seen, lowered, AcqRel, Acquire) {
            Ok(_) => return Credit::Taken { from },
            Err(now) => seen = now,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn zeros(words: usize) -> Vec<AtomicU64> {
        (0..words).map(|_| AtomicU64::new(0)).collect()
    }

    /// A half whose first chunk is given out.
    fn half(arena: &[AtomicU64]) -> Half<'_> {
        let line = |value| Line(Register::new(value));
        Half {
            table: &[],
            front: &[],
            arena,
            reserved: line(0),
            settled: line(0),
            taken: line(CHUNK_WORDS as u64),
            began: Register::new(Word::FIRST.phase()),
            sweep: Register::new(0),
        }
    }

    /// The last three words of the first chunk.
    fn last_three() -> Chunk {
        Chunk {
            began: Word::FIRST.phase(),
            next: CHUNK_WORDS - 3,
            end: CHUNK_WORDS,
        }
    }

    fn written(half: &Half<'_>, id: &[u8], chunk: &mut Chunk) -> Option<(usize, usize)> {
        let draft = half.write_cell(id, Word::FIRST, chunk)?;
        Some((draft.at, draft.end))
    }

    #[test]
    fn a_place_that_is_handed_back_is_one_user_and_the_bytes_of_its_id() {
        let half = half(&[]);
        half.reserved.0.store((2 << BYTES_BITS) | 10, Relaxed);
        half.give_back(b"abc");
        assert_eq!(half.reserved.0.load(Relaxed), (1 << BYTES_BITS) | 7);
        half.give_back(b"1234567");
        assert_eq!(half.reserved.0.load(Relaxed), 0);
    }

    #[test]
    fn a_cell_holds_the_length_the_phase_and_the_id_in_words() {
        let arena = zeros(CHUNK_WORDS);
        let half = half(&arena);
        let mut chunk = last_three();
        let place = written(&half, b"12345678abc", &mut chunk);
        assert_eq!(place, Some((CHUNK_WORDS - 3, CHUNK_WORDS)));
        let [.., head, first, last] = &arena[..] else {
            panic!("three words at least");
        };
        let head = head.load(Relaxed);
        let (length, phase) = (head >> PHASE_BITS, head & PHASE_MASK);
        assert_eq!((length, phase), (11, Word::FIRST.phase()));
        let id = [first, last].map(|word| word.load(Relaxed));
        assert_eq!(id, [u64::from_le_bytes(*b"12345678"), tail_word(b"abc")]);
    }

    #[test]
    fn a_cell_that_just_fits_goes_into_the_chunk_and_a_larger_one_into_a_new_one() {
        let arena = zeros(2 * CHUNK_WORDS);
        let half = half(&arena);
        // A head and two words.
        let mut chunk = last_three();
        let place = written(&half, &[b'x'; 16], &mut chunk);
        assert_eq!(place, Some((CHUNK_WORDS - 3, CHUNK_WORDS)));
        assert_eq!(half.taken.0.load(Relaxed), CHUNK_WORDS as u64);
        // A word more.
        let mut chunk = last_three();
        let place = written(&half, &[b'x'; 17], &mut chunk);
        assert_eq!(place, Some((CHUNK_WORDS, CHUNK_WORDS + 4)));
        assert_eq!(half.taken.0.load(Relaxed), 2 * CHUNK_WORDS as u64);
    }

    #[test]
    fn who_comes_late_to_a_cell_goes_by_the_phase_that_it_has_by_now() {
        let cell = |phase: u64| (3 << PHASE_BITS) | phase;
        let word = Word::new(1, 5);
        // Another worker of our phase was faster.
        let head = AtomicU64::new(cell(5));
        assert_eq!(take(&head, cell(6), word), Credit::Known);
        assert_eq!(head.load(Relaxed), cell(5));
        // It has come nearer, and not to ours.
        let head = AtomicU64::new(cell(6));
        assert_eq!(take(&head, cell(7), word), Credit::Taken { from: 6 });
        assert_eq!(head.load(Relaxed), cell(5));
    }

    #[test]
    fn every_slot_is_swept_before_a_tag_comes_again() {
        // One slot more than there are sweeps, so that one for each is not enough.
        let sweeps = TAGS as usize / 2 - 1;
        let ones = |count| (0..count).map(|_| AtomicU64::new(1)).collect::<Vec<_>>();
        let (table, front) = (ones(sweeps + 1 - 2 * LINE_SLOTS), ones(2 * LINE_SLOTS));
        let half = Half {
            table: &table,
            front: front.as_chunks().0,
            ..half(&[])
        };
        (0..sweeps).for_each(|_| half.sweep_some());
        let left = table.iter().chain(&front);
        assert_eq!(left.filter(|slot| slot.load(Relaxed) != 0).count(), 0);
    }

    #[test]
    fn the_last_words_of_the_arena_hold_a_cell_that_just_fits() {
        let arena = zeros(CHUNK_WORDS + 3);
        let half = half(&arena);
        let mut chunk = Chunk::NONE;
        assert_eq!(written(&half, &[b'x'; 17], &mut chunk), None);
        assert_eq!(half.taken.0.load(Relaxed), CHUNK_WORDS as u64, "none taken");
        let place = written(&half, &[b'x'; 16], &mut chunk);
        assert_eq!(place, Some((CHUNK_WORDS, CHUNK_WORDS + 3)));
        assert_eq!(half.taken.0.load(Relaxed), arena.len() as u64);
        chunk.next = chunk.end;
        assert_eq!(written(&half, b"", &mut chunk), None);
    }
}
