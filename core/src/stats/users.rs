//! The set of users: shared by all workers, lock-free, of fixed size, emptied in O(1).
//!
//! ```text
//! half (by era parity)      table: a front of lines of       arena: cells of 64-bit words
//!                           slots, 64 regions of slots
//!                          +--------+--------+--------+     +------+---------------------+
//!                          |  slot  |  slot  |  ...   |     | head | id, 8 bytes a word  |
//!                          +--------+--------+--------+     +------+---------------------+
//! slot = era tag (16) | fingerprint (16) | cell (32)         head = id length (16) | phase (48)
//! ```
//!
//! The *run* of an id is the order in which slots are looked at for it: the eight of one cache line
//! in the front, from one of them on and round, then up to 248 of its region. The front is a
//! sixteenth of the regions, small enough for a core's cache. As long as users are few for it (half
//! a user for each of its slots, 65,536 by default) nearly all lie there, and an event of a known
//! one reads two lines: that of its slot and that of its cell. In regions alone these were as many,
//! but of four times as many lines, on sixteen times as many pages: a user lay anywhere in 16 MiB.
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
//!
//! Progress: to find a user is wait-free, to add one is lock-free (see the [module](super)).

use super::capacity::{Capacity, ID_BYTES_MAX, LINE_SLOTS, PROBES_MAX, SHARDS, WORKERS_MAX};
use super::half::{BYTES_BITS, BYTES_MASK, Chunk, Draft, Half};
use super::hash::{Key, tail_word};
use super::register::{AtomicU64, Register, spin_loop};
use super::snapshot::Refused;
use super::word::Word;
use super::worker::Line;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

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

/// Looks at a full set while another worker may still hand back a place, before the event is
/// refused: a few microseconds. Others need some ten instructions for it, unless they were
/// interrupted, and this worker does not wait for that. While more places are free than there are
/// workers, nobody is refused: each holds at most one that it may have to hand back.
const FULL_LOOKS_MAX: u32 = if cfg!(barewire_loom) { 2 } else { 256 };

#[derive(Debug)]
pub(crate) struct Users<'m> {
    halves: [Half<'m>; 2],
    key: Key,
    region_slots: u64,
    /// Lines of the front, a power of two.
    front_lines: u64,
    users_max: u64,
    id_bytes_max: u64,
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
        let front_slots = capacity.front_slots();
        let half = |words: &'m [AtomicU64], arena| {
            let (table, front) = words.split_at_checked(words.len().checked_sub(front_slots)?)?;
            let (front, _) = front.as_chunks();
            Some(Half {
                table,
                front,
                arena,
                reserved: Line(Register::new(0)),
                settled: Line(Register::new(0)),
                taken: Line(Register::new(0)),
                began: Register::new(0),
                sweep: Register::new(0),
            })
        };
        Some(Self {
            halves: [half(even_table, even_arena)?, half(odd_table, odd_arena)?],
            key,
            region_slots: capacity.region_slots() as u64,
            front_lines: (front_slots / LINE_SLOTS) as u64,
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
        let tail = tail_word(id);
        let hash = self.key.hash_with(id, tail);
        let name = (word.tag() << 16) | ((hash >> FINGERPRINT_SHIFT) & 0xffff);
        let half = self.half(word);
        // Nearly all events are of known users in their line of the front, and most of those in its
        // first slot for them. What the search needs to remember would only be in the way here
        // (most of the 60 instructions that this and the tail by words save).
        if let Some(line) = self.line(half, hash) {
            for probe in 0..LINE_SLOTS as u64 {
                // Acquire: with a cell's number comes what was written into it.
                let seen = slot_of(line, hash, probe).map_or(0, |slot| slot.load(Acquire));
                if seen >> 32 == name {
                    match half.credit(seen, id, tail, word) {
                        Some(found) => return Ok(found),
                        None => break,
                    }
                }
                // Nothing lies behind an empty slot.
                if seen >> 48 != word.tag() {
                    break;
                }
            }
        }
        self.search(word, id, hash, name, chunk)
    }

    /// The line of the front where the search for an id begins.
    #[inline(always)]
    fn line<'h>(&self, half: &'h Half<'m>, hash: u64) -> Option<&'h [AtomicU64; LINE_SLOTS]> {
        let line = (hash >> FRONT_SHIFT) & self.front_lines.wrapping_sub(1);
        half.front.get(line as usize)
    }

    /// The slot that is looked at after `probe` others: those of the line, from any of them on and
    /// round, then those of the region likewise. The order is the same for all who look for this
    /// id, which is all that exactness needs of it.
    #[inline]
    fn slot<'h>(&self, half: &'h Half<'m>, hash: u64, probe: u64) -> Option<&'h AtomicU64> {
        let Some(probe) = probe.checked_sub(LINE_SLOTS as u64) else {
            return slot_of(self.line(half, hash)?, hash, probe);
        };
        let region = (hash >> REGION_SHIFT).wrapping_mul(self.region_slots);
        let within = hash.wrapping_add(probe) & self.region_slots.wrapping_sub(1);
        half.table.get(region.wrapping_add(within) as usize)
    }

    /// The whole of [`note`](Self::note), from the first slot on.
    #[inline(never)]
    fn search(
        &self,
        word: Word,
        id: &[u8],
        hash: u64,
        name: u64,
        chunk: &mut Chunk,
    ) -> Result<Credit, Refused> {
        let tail = tail_word(id);
        let half = self.half(word);
        let probes_max = PROBES_MAX.min(self.region_slots.saturating_add(LINE_SLOTS as u64));
        let mut draft = None;
        let mut credit = Err(Refused::Full);
        let mut looks = FULL_LOOKS_MAX;
        let mut probe = 0;
        while probe < probes_max {
            let Some(slot) = self.slot(half, hash, probe) else {
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
                && let Some(found) = half.credit(seen, id, tail, word)
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

/// The slot of a line that is looked at after `probe` others.
#[inline(always)]
#[allow(clippy::modulo_one)] // a line of the models has one slot
fn slot_of(line: &[AtomicU64; LINE_SLOTS], hash: u64, probe: u64) -> Option<&AtomicU64> {
    line.get(hash.wrapping_add(probe) as usize % LINE_SLOTS)
}

/// How far the bits of a hash that choose its region are to be shifted down: the highest six.
///
/// Below them lie sixteen for the fingerprint, below those the ones of the line (22 at most), and
/// the lowest choose the first slot of both kinds. Above two million users these reach into those
/// of the line, which does no harm: users of one line lie in any of the regions all the same.
const REGION_SHIFT: u32 = 64 - SHARDS.ilog2();
const FINGERPRINT_SHIFT: u32 = 42;
const FRONT_SHIFT: u32 = 16;

const _: () = assert!(SHARDS.is_power_of_two() && SHARDS > 1 && SHARDS <= 64);

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::word::TAGS;
    use super::*;
    use std::format;
    use std::time::Instant;
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
    fn a_slot_is_chosen_by_the_hash_and_holds_the_tag_the_fingerprint_and_the_cell() {
        let capacity = capacity(5000, 10_000);
        let memory = memory(&capacity, 1);
        let users = memory.users(&capacity, 1);
        let mut chunk = Chunk::NONE;
        // In the second cell, so that its number is not zero.
        let word = Word::new(3, 7);
        for id in [&b"the first"[..], b"the second"] {
            assert_eq!(users.note(word, id, &mut chunk), Ok(Credit::New));
        }
        let hash = Key::new(3, 4).hash(b"the second");
        let lines = (capacity.front_slots() / LINE_SLOTS) as u64;
        let line = &users.half(word).front[(hash >> 16 & (lines - 1)) as usize];
        let slot = line[hash as usize % LINE_SLOTS].load(Relaxed);
        let cell = 1 + 2; // behind a head and two words
        assert_eq!(slot, 3 << 48 | (hash >> 42 & 0xffff) << 32 | cell);
    }

    #[test]
    fn who_loses_a_slot_keeps_its_place_and_its_cell_for_the_next_one() {
        let capacity = capacity(10, 100);
        let memory = memory(&capacity, 1);
        let users = memory.users(&capacity, 1);
        let word = Word::FIRST;
        let half = users.half(word);
        let (mut chunk, mut draft) = (Chunk::NONE, None);
        let mut claim = |slot| users.claim(half, slot, 0, 7, word, b"a", &mut chunk, &mut draft);
        let [first, second, ..] = half.table else {
            panic!("two slots at least");
        };
        // Seen empty, and filled since.
        first.store(99, Relaxed);
        assert!(matches!(claim(first), Claim::Lost { to: 99 }));
        assert!(matches!(claim(second), Claim::Won));
        assert_eq!((first.load(Relaxed), second.load(Relaxed)), (99, 7 << 32));
        assert_eq!(half.reserved.0.load(Relaxed), (1 << BYTES_BITS) | 1);
        assert_eq!(half.settled.0.load(Relaxed), 1);
        assert_eq!(chunk.next, 2, "a head and a word");
    }

    #[test]
    fn no_place_is_final_only_if_nobody_can_give_one_back() {
        let capacity = capacity(2, 10);
        let memory = memory(&capacity, 2);
        let users = memory.users(&capacity, 2);
        let mut chunk = Chunk::NONE;
        let mut note = |id: &[u8]| users.note(Word::FIRST, id, &mut chunk);
        assert_eq!(note(b"a"), Ok(Credit::New));
        // Another worker holds the last place, and is stopped: it is not waited for.
        let half = users.half(Word::FIRST);
        assert_eq!(users.reserve(half, b"b"), Ok(()));
        assert_eq!(users.reserve(half, b"c"), Err(false));
        assert_eq!(note(b"c"), Err(Refused::Full));
        assert_eq!(note(b"a"), Ok(Credit::Known));
        half.give_back(b"b");
        assert_eq!(note(b"c"), Ok(Credit::New));
        assert_eq!(users.reserve(half, b"d"), Err(true));
    }

    #[test]
    fn a_place_that_may_come_back_is_looked_for_many_times_and_a_settled_one_once() {
        let capacity = capacity(1, 10);
        let memory = memory(&capacity, 1);
        let users = memory.users(&capacity, 1);
        let mut chunk = Chunk::NONE;
        let mut refusal = || {
            let begun = Instant::now();
            let credit = users.note(Word::FIRST, b"b", &mut chunk);
            assert_eq!(credit, Err(Refused::Full));
            begun.elapsed()
        };
        // The shortest of many: the others were interrupted.
        let mut shortest = || (0..200).map(|_| refusal()).min().unwrap();
        let half = users.half(Word::FIRST);
        assert_eq!(users.reserve(half, b"a"), Ok(()));
        let held = shortest();
        half.settled.0.store(1, Relaxed);
        let settled = shortest();
        // A few hundred times as long, in truth.
        assert!(held > 16 * settled, "{held:?} {settled:?}");
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
