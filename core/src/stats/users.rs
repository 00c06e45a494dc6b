//! The set of users: shared by all workers, lock-free, of fixed size, emptied in O(1).
//!
//! ```text
//! half (by era parity)      table: 64 regions of slots       arena: cells of 64-bit words
//!                          +--------+--------+--------+     +------+---------------------+
//!                          |  slot  |  slot  |  ...   |     | head | id, 8 bytes a word  |
//!                          +--------+--------+--------+     +------+---------------------+
//! slot = era tag (16) | fingerprint (16) | cell (32)         head = id length (16) | phase (48)
//! ```
//!
//! A slot whose tag is not the era's is empty: a new era begins with an empty set and nothing to
//! clear. To add a user, the worker writes a cell (nobody else knows of it yet), then publishes it
//! with one compare-and-swap on the first empty slot of the id's run. Slots are never emptied
//! within an era, so two workers with the same new id meet at the same slot, one wins, and the
//! other finds the winner's cell: an id has one cell, and one of them has added it.
//!
//! The two eras that can be at work at once (the old one that is being left, and the new one) have
//! different parities and so different halves. When an era begins, every worker has left the era
//! before the last one, so nobody reads or writes the half that it takes over.

use super::capacity::{CHUNK_WORDS, Capacity, ID_BYTES_MAX, PROBES_MAX, SHARDS, WORKERS_MAX};
use super::hash::{Key, tail_word};
use super::snapshot::Refused;
use super::word::{PHASE_BITS, PHASE_MASK, TAGS, Word};
use super::worker::{Line, Register};
use core::hint::spin_loop;
use core::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, Release},
};

/// What an event does to the number of users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credit {
    /// The user was known in this phase or earlier.
    Known,
    /// The user is new, and credited to our phase.
    New,
    /// The user was credited to the later phase `from`, and is now to ours.
    Taken { from: u64 },
}

/// Words of the arena that belong to one worker: the next cell goes there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk {
    /// The phase that began the era it was taken in; it is worth nothing in another one.
    began: u64,
    next: usize,
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
const BYTES_BITS: u32 = 36;
const BYTES_MASK: u64 = (1 << BYTES_BITS) - 1;

/// Looks at a full set while another worker may still hand back a place, before the event is
/// refused: a few microseconds. Others need some ten instructions for it, unless they were
/// interrupted, and this worker does not wait for that.
const FULL_LOOKS_MAX: u32 = 256;

#[derive(Debug)]
pub(crate) struct Users<'m> {
    halves: [Half<'m>; 2],
    key: Key,
    region_slots: u64,
    users_max: u64,
    id_bytes_max: u64,
}

#[derive(Debug)]
struct Half<'m> {
    table: &'m [AtomicU64],
    arena: &'m [AtomicU64],
    /// Places given out: users, and bytes of ids. Exact: what is not used is handed back.
    ///
    /// All workers write to this one word, but only for new users: in total as often as the set
    /// has places, which is a tenth of a second per era at its worst.
    reserved: Line,
    /// Users published. Equal to the users in `reserved` when nobody is in between.
    settled: Line,
    /// Words of the arena given out, in chunks.
    taken: Line,
    /// The phase that began the era of this half. Changes only while nobody is in it.
    began: Register,
    /// Where the next sweep goes on.
    sweep: Register,
}

impl<'m> Users<'m> {
    /// `None` if the memory is smaller than `capacity` asks for, or more than can be numbered.
    pub(crate) fn new(
        capacity: &Capacity,
        workers: usize,
        table: &'m [AtomicU64],
        arena: &'m [AtomicU64],
        key: Key,
    ) -> Option<Self> {
        let users_max = u64::from(capacity.users_max);
        let numbered = users_max < 1 << (64 - BYTES_BITS)
            && capacity.id_bytes_max <= BYTES_MASK >> 1
            && workers <= WORKERS_MAX;
        if !numbered {
            return None;
        }
        let (table, _) = table.split_at_checked(capacity.table_words())?;
        let (arena, _) = arena.split_at_checked(capacity.arena_words(workers))?;
        let (even_table, odd_table) = table.split_at_checked(table.len() / 2)?;
        let (even_arena, odd_arena) = arena.split_at_checked(arena.len() / 2)?;
        u32::try_from(even_arena.len()).ok()?;
        let half = |table, arena, began| Half {
            table,
            arena,
            reserved: Line(Register::new(0)),
            settled: Line(Register::new(0)),
            taken: Line(Register::new(0)),
            began: Register::new(began),
            sweep: Register::new(0),
        };
        Some(Self {
            halves: [
                half(even_table, even_arena, 0),
                half(odd_table, odd_arena, Word::FIRST.phase()),
            ],
            key,
            region_slots: capacity.region_slots() as u64,
            users_max,
            id_bytes_max: capacity.id_bytes_max,
        })
    }

    /// Makes sure that the user `id` is in the set, and credited to the word's phase or an earlier
    /// one.
    #[inline]
    pub(crate) fn note(&self, word: Word, id: &[u8], chunk: &mut Chunk) -> Result<Credit, Refused> {
        if id.len() > ID_BYTES_MAX {
            return Err(Refused::IdTooLong);
        }
        let hash = self.key.hash(id);
        // Six bits choose the region, sixteen are the fingerprint, the low ones the first slot:
        // they do not overlap below 2^42 slots.
        let region = (hash >> 58).wrapping_mul(self.region_slots);
        let name = (word.tag() << 16) | ((hash >> 42) & 0xffff);
        let half = self.half(word);
        let mut draft = None;
        let mut credit = Err(Refused::Full);
        let mut looks = FULL_LOOKS_MAX;
        let mut probe = 0;
        while probe < PROBES_MAX.min(self.region_slots) {
            let within = hash.wrapping_add(probe) & self.region_slots.wrapping_sub(1);
            let Some(slot) = half.table.get(region.wrapping_add(within) as usize) else {
                break;
            };
            // Acquire: with a cell's number comes what was written into it.
            let mut seen = slot.load(Acquire);
            if seen >> 48 != word.tag() {
                match self.claim(half, slot, seen, name, word, id, chunk, &mut draft) {
                    Claim::Won => {
                        credit = Ok(Credit::New);
                        draft = None;
                        break;
                    }
                    Claim::Lost { to } => seen = to,
                    Claim::Full { settled } => {
                        // What the last place was given to may have been published since we
                        // looked at this slot, and be our id.
                        looks = looks.saturating_sub(1);
                        let now = slot.load(Acquire);
                        if now >> 48 == word.tag() {
                            seen = now;
                        } else if settled || looks == 0 {
                            break;
                        } else {
                            spin_loop();
                            continue;
                        }
                    }
                }
            }
            if seen >> 32 == name
                && let Some(found) = half.credit(seen, id, word)
            {
                credit = Ok(found);
                break;
            }
            probe = probe.wrapping_add(1);
        }
        if draft.is_some() {
            half.give_back(id);
        }
        credit
    }

    /// Empties the half that `word`'s era takes over, and whose workers have all left it long ago.
    ///
    /// For the coordinator only, before it publishes `word`.
    pub(crate) fn begin_era(&self, word: Word) {
        let half = self.half(word);
        half.reserved.0.store(0, Relaxed);
        half.settled.0.store(0, Relaxed);
        half.taken.0.store(0, Relaxed);
        half.began.store(word.phase(), Relaxed);
        half.sweep_some();
    }

    /// The phase that began the era of `word`, which must be the current one.
    pub(crate) fn era_began(&self, word: Word) -> u64 {
        self.half(word).began.load(Relaxed)
    }

    #[inline]
    fn half(&self, word: Word) -> &Half<'m> {
        let [even, odd] = &self.halves;
        if word.tag() & 1 == 0 { even } else { odd }
    }

    /// Tries to put a new user into an empty slot. `draft` is its cell, once it has been reserved
    /// and written, for the next slot if this one is lost.
    #[cold]
    #[expect(
        clippy::too_many_arguments,
        reason = "the cold part of `note`, with its state"
    )]
    fn claim(
        &self,
        half: &Half<'_>,
        slot: &AtomicU64,
        seen: u64,
        name: u64,
        word: Word,
        id: &[u8],
        chunk: &mut Chunk,
        draft: &mut Option<Draft>,
    ) -> Claim {
        let cell = match draft {
            Some(draft) => *draft,
            None => {
                if let Err(settled) = self.reserve(half, id) {
                    return Claim::Full { settled };
                }
                let Some(cell) = half.write_cell(id, word, chunk) else {
                    half.give_back(id);
                    return Claim::Full { settled: true };
                };
                *draft.insert(cell)
            }
        };
        let mine = (name << 32) | cell.at as u64;
        // Release: the cell's words first. Acquire on failure: the winner's cell with its number.
        match slot.compare_exchange(seen, mine, AcqRel, Acquire) {
            Ok(_) => {
                chunk.next = cell.end;
                // Release: whoever sees all places settled sees all slots.
                half.settled.0.fetch_add(1, Release);
                Claim::Won
            }
            Err(to) => Claim::Lost { to },
        }
    }

    /// Takes one user's place and its bytes. `Err`: there is none left, and whether that is final
    /// (`true`) or somebody may still give a place back.
    fn reserve(&self, half: &Half<'_>, id: &[u8]) -> Result<(), bool> {
        let mut seen = half.reserved.0.load(Acquire);
        loop {
            let users = (seen >> BYTES_BITS).wrapping_add(1);
            let bytes = (seen & BYTES_MASK).wrapping_add(id.len() as u64);
            if users > self.users_max || bytes > self.id_bytes_max {
                let settled = half.settled.0.load(Acquire) == seen >> BYTES_BITS;
                return Err(settled && half.reserved.0.load(Acquire) == seen);
            }
            let next = (users << BYTES_BITS) | bytes;
            match (half.reserved.0).compare_exchange_weak(seen, next, AcqRel, Acquire) {
                Ok(_) => return Ok(()),
                Err(now) => seen = now,
            }
        }
    }
}

enum Claim {
    Won,
    /// Somebody else has filled the slot.
    Lost {
        to: u64,
    },
    /// There is no room; for good, or as things stand.
    Full {
        settled: bool,
    },
}

/// A cell that is written but not published.
#[derive(Clone, Copy)]
struct Draft {
    at: usize,
    end: usize,
}

impl Half<'_> {
    /// Hands back the place of `id`, which somebody else has put into the set (or that found no
    /// slot). Its cell is written over by the next one: the chunk has not moved on.
    fn give_back(&self, id: &[u8]) {
        let place = (1 << BYTES_BITS) | id.len() as u64;
        self.reserved.0.fetch_sub(place, AcqRel);
    }

    /// Writes a cell into the worker's chunk, or into a new one; `None`: the arena is used up.
    fn write_cell(&self, id: &[u8], word: Word, chunk: &mut Chunk) -> Option<Draft> {
        let size = id.len().div_ceil(8).checked_add(1)?;
        let began = self.began.load(Relaxed);
        if chunk.began != began || chunk.end.saturating_sub(chunk.next) < size {
            *chunk = self.take_chunk(size, began)?;
        }
        let end = chunk.next.checked_add(size)?;
        let (head, body) = self.arena.get(chunk.next..end)?.split_first()?;
        head.store(((id.len() as u64) << PHASE_BITS) | word.phase(), Relaxed);
        let (words, tail) = id.as_chunks::<8>();
        let last = (!tail.is_empty()).then(|| tail_word(tail));
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

    /// Whether the slot's cell holds `id`, and then what an event in `word`'s phase does to the
    /// number of users.
    #[inline]
    fn credit(&self, slot: u64, id: &[u8], word: Word) -> Option<Credit> {
        let cell = self.arena.get((slot & 0xffff_ffff) as usize..)?;
        let (head, body) = cell.split_first()?;
        let mut seen = head.load(Acquire);
        if seen >> PHASE_BITS != id.len() as u64 {
            return None;
        }
        let (words, tail) = id.as_chunks::<8>();
        let (body, rest) = body.split_at_checked(words.len())?;
        let same = body
            .iter()
            .zip(words)
            .all(|(cell, word)| cell.load(Relaxed) == u64::from_le_bytes(*word));
        if !same || (!tail.is_empty() && rest.first()?.load(Relaxed) != tail_word(tail)) {
            return None;
        }
        // Phases at work are at most one apart, so this goes round twice at most: whoever was
        // faster has lowered it to our phase.
        loop {
            let from = seen & PHASE_MASK;
            if from <= word.phase() {
                return Some(Credit::Known);
            }
            let lowered = (seen & !PHASE_MASK) | word.phase();
            match head.compare_exchange(seen, lowered, AcqRel, Acquire) {
                Ok(_) => return Some(Credit::Taken { from }),
                Err(now) => seen = now,
            }
        }
    }

    /// Clears some slots for good, so that none keeps a tag until it comes again: a half is taken
    /// over `TAGS / 2` times until then, and each time so many slots are swept that all had their
    /// turn. (By default 65 slots for each reset.)
    fn sweep_some(&self) {
        let slots = self.table.len() as u64;
        let step = slots.div_ceil(TAGS / 2 - 1);
        let mut at = self.sweep.load(Relaxed);
        for _ in 0..step {
            // Looked at first: a page that was never used stays untouched.
            if let Some(slot) = self.table.get(at as usize)
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

const _: () = assert!(SHARDS == 64, "six bits of the hash choose the region");

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;
    use std::vec::Vec;

    struct Memory {
        table: Vec<AtomicU64>,
        arena: Vec<AtomicU64>,
    }

    fn capacity(users_max: u32, id_bytes_max: u64) -> Capacity {
        Capacity {
            users_max,
            id_bytes_max,
        }
    }

    fn memory(capacity: &Capacity, workers: usize) -> Memory {
        let zeros = |words| (0..words).map(|_| AtomicU64::new(0)).collect();
        Memory {
            table: zeros(capacity.table_words()),
            arena: zeros(capacity.arena_words(workers)),
        }
    }

    impl Memory {
        fn users(&self, capacity: &Capacity, workers: usize) -> Users<'_> {
            Users::new(capacity, workers, &self.table, &self.arena, Key::new(3, 4)).unwrap()
        }
    }

    #[test]
    fn the_last_user_fits_and_the_next_one_does_not() {
        for users_max in [0, 1, 2, 63, 64, 65, 1000, 4096, 5000, 20_000] {
            let capacity = capacity(users_max, 1 << 20);
            let memory = memory(&capacity, 2);
            let users = memory.users(&capacity, 2);
            let mut chunks = [Chunk::NONE; 2];
            for i in 0..users_max {
                let chunk = &mut chunks[i as usize % 2];
                let credit = users.note(Word::FIRST, format!("user_{i}").as_bytes(), chunk);
                assert_eq!(credit, Ok(Credit::New), "{i} of {users_max}");
            }
            for i in 0..users_max {
                let id = format!("user_{i}");
                let credit = users.note(Word::FIRST, id.as_bytes(), &mut chunks[0]);
                assert_eq!(credit, Ok(Credit::Known), "{i} of {users_max}");
            }
            for id in ["new", "newer", ""] {
                let credit = users.note(Word::FIRST, id.as_bytes(), &mut chunks[0]);
                assert_eq!(credit, Err(Refused::Full));
            }
        }
    }

    #[test]
    fn the_default_capacity_holds_1_048_576_users() {
        let capacity = Capacity::DEFAULT;
        let memory = memory(&capacity, 4);
        let users = memory.users(&capacity, 4);
        let mut chunks = [Chunk::NONE; 4];
        for i in 0..1u32 << 20 {
            let id = format!("user_{i}");
            let credit = users.note(Word::FIRST, id.as_bytes(), &mut chunks[i as usize % 4]);
            assert_eq!(credit, Ok(Credit::New), "{i}");
        }
        let credit = users.note(Word::FIRST, b"one too many", &mut chunks[0]);
        assert_eq!(credit, Err(Refused::Full));
    }

    #[test]
    fn the_last_byte_of_ids_fits_and_the_next_one_does_not() {
        // 64 MiB of the longest ids in the default set, and odd lengths in a small one.
        for (capacity, length) in [
            (Capacity::DEFAULT, ID_BYTES_MAX),
            (capacity(5000, 9 * 1000), 9),
            (capacity(5000, 1000 * 1000), 1000),
            (capacity(100_000, 2049 * 300), 2049),
        ] {
            let memory = memory(&capacity, 3);
            let users = memory.users(&capacity, 3);
            let mut chunks = [Chunk::NONE; 3];
            let fit = capacity.id_bytes_max / length as u64;
            for i in 0..fit {
                let id = format!("{i:0length$}");
                let credit = users.note(Word::FIRST, id.as_bytes(), &mut chunks[i as usize % 3]);
                assert_eq!(credit, Ok(Credit::New), "{i} of {fit}");
            }
            let credit = users.note(Word::FIRST, b"x", &mut chunks[0]);
            assert_eq!(credit, Err(Refused::Full));
            let known = format!("{:0length$}", fit - 1);
            let credit = users.note(Word::FIRST, known.as_bytes(), &mut chunks[0]);
            assert_eq!(credit, Ok(Credit::Known));
        }
    }

    #[test]
    fn ids_differ_in_every_byte_and_in_length() {
        let capacity = capacity(20_000, 1 << 20);
        let memory = memory(&capacity, 1);
        let users = memory.users(&capacity, 1);
        let mut chunk = Chunk::NONE;
        let mut note = |id: &[u8]| users.note(Word::FIRST, id, &mut chunk);
        for length in 0..40 {
            let id = std::vec![0u8; length];
            assert_eq!(note(&id), Ok(Credit::New), "{length}");
            for at in 0..length {
                let mut other = id.clone();
                other[at] = 255;
                assert_eq!(note(&other), Ok(Credit::New), "{length} {at}");
                assert_eq!(note(&other), Ok(Credit::Known), "{length} {at}");
            }
            assert_eq!(note(&id), Ok(Credit::Known), "{length}");
        }
        assert_eq!(note(&[7; ID_BYTES_MAX]), Ok(Credit::New));
        assert_eq!(note(&[7; ID_BYTES_MAX + 1]), Err(Refused::IdTooLong));
    }

    #[test]
    fn the_earliest_phase_gets_the_credit() {
        let capacity = capacity(10, 100);
        let memory = memory(&capacity, 1);
        let users = memory.users(&capacity, 1);
        let mut chunk = Chunk::NONE;
        let early = Word::FIRST;
        let late = early.next_phase();
        let from = late.phase();
        let mut note = |word, id: &str| users.note(word, id.as_bytes(), &mut chunk);
        assert_eq!(note(late, "a"), Ok(Credit::New));
        assert_eq!(note(late, "a"), Ok(Credit::Known));
        assert_eq!(note(early, "a"), Ok(Credit::Taken { from }));
        assert_eq!(note(early, "a"), Ok(Credit::Known));
        assert_eq!(note(late, "a"), Ok(Credit::Known));
        assert_eq!(note(early, "b"), Ok(Credit::New));
        assert_eq!(note(late, "b"), Ok(Credit::Known));
    }

    #[test]
    fn a_new_era_is_empty_and_the_old_one_goes_on() {
        let capacity = capacity(3, 100);
        let memory = memory(&capacity, 1);
        let users = memory.users(&capacity, 1);
        let mut chunk = Chunk::NONE;
        let old = Word::FIRST;
        let new = old.next_era();
        let mut note = |word, id: &str| users.note(word, id.as_bytes(), &mut chunk);
        assert_eq!(note(old, "a"), Ok(Credit::New));
        users.begin_era(new);
        assert_eq!(note(new, "a"), Ok(Credit::New));
        assert_eq!(note(old, "a"), Ok(Credit::Known));
        assert_eq!(note(old, "b"), Ok(Credit::New));
        assert_eq!(note(old, "c"), Ok(Credit::New));
        assert_eq!(note(old, "d"), Err(Refused::Full));
        assert_eq!(note(new, "d"), Ok(Credit::New));
        assert_eq!(note(new, "b"), Ok(Credit::New));
        assert_eq!(note(new, "c"), Err(Refused::Full));
    }

    #[test]
    fn a_tag_that_comes_again_finds_no_users_of_its_first_time() {
        let capacity = capacity(100, 10_000);
        let memory = memory(&capacity, 1);
        let users = memory.users(&capacity, 1);
        let mut chunk = Chunk::NONE;
        let mut word = Word::FIRST;
        for id in 0..50u8 {
            assert_eq!(users.note(word, &[id], &mut chunk), Ok(Credit::New));
        }
        for round in 0..2 * TAGS {
            word = word.next_era();
            users.begin_era(word);
            if round % 3000 == 0 || word.tag() == Word::FIRST.tag() {
                for id in 0..50u8 {
                    let credit = users.note(word, &[id], &mut chunk);
                    assert_eq!(credit, Ok(Credit::New), "{round} {id}");
                }
            }
        }
        assert_eq!(word.tag(), Word::FIRST.tag());
    }

    #[test]
    fn memory_that_is_too_small_is_refused() {
        let capacity = capacity(100, 10_000);
        let memory = memory(&capacity, 2);
        let key = Key::new(0, 0);
        let new = |capacity: &Capacity, workers, table, arena| {
            Users::new(capacity, workers, table, arena, key).is_some()
        };
        let (table, arena) = (&memory.table[..], &memory.arena[..]);
        assert!(new(&capacity, 2, table, arena));
        assert!(!new(&capacity, 3, table, arena));
        assert!(!new(&capacity, usize::MAX, table, arena));
        assert!(!new(&capacity, 2, &table[1..], arena));
        assert!(!new(&capacity, 2, table, &arena[1..]));
        let vast = Capacity {
            users_max: u32::MAX,
            id_bytes_max: u64::MAX,
        };
        assert!(!new(&vast, 2, table, arena));
    }
}
