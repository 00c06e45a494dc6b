//! Tests of ids chosen by an enemy, and of a set that is full.
//!
//! Who knows the key can search for ids that all begin their probing at one slot. Then
//! [`PROBES_MAX`] bounds the work of each event; who does not know it gets nothing better than
//! random ids.

extern crate std;
use super::capacity::{LINE_SLOTS, PROBES_MAX};
use super::register::AtomicU64;
use super::ticket::Outcome;
use super::*;
use core::sync::atomic::Ordering::Relaxed;
use std::collections::BTreeMap;
use std::format;
use std::vec::Vec;

struct Memory {
    shards: Vec<Shard>,
    table: Vec<AtomicU64>,
    arena: Vec<AtomicU64>,
    capacity: Capacity,
}

impl Memory {
    fn new(capacity: Capacity, workers: usize) -> Self {
        let zeros = |words| (0..words).map(|_| AtomicU64::new(0)).collect();
        Self {
            shards: (0..workers).map(|_| Shard::new()).collect(),
            table: zeros(capacity.table_words()),
            arena: zeros(capacity.arena_words(workers)),
            capacity,
        }
    }

    fn stats(&self, key: Key) -> Stats<'_> {
        Stats::new(&self.shards, &self.table, &self.arena, self.capacity, key).unwrap()
    }

    /// The slots of the regions, and those of the front, of the half in use.
    fn slots(&self) -> (&[AtomicU64], &[AtomicU64]) {
        // The first era's tag is odd.
        let (_, half) = self.table.split_at(self.table.len() / 2);
        half.split_at(half.len() - self.capacity.front_slots())
    }

    /// Takes all places of the front, as many users do who came before: from here on all is of the
    /// regions.
    fn fill_front(&self) {
        // The first era's tag, and a cell that is not there.
        let somebody = (1 << 48) | u64::from(u32::MAX);
        let (_, front) = self.slots();
        front.iter().for_each(|slot| slot.store(somebody, Relaxed));
    }

    /// The longest run of taken slots in a region, around its end too: no search looks at more than
    /// one slot beyond it.
    fn longest_run(&self) -> u64 {
        let regions = self.slots().0.chunks(self.capacity.region_slots());
        regions.map(longest_run).max().unwrap()
    }
}

fn longest_run(region: &[AtomicU64]) -> u64 {
    let (mut run, mut longest) = (0, 0);
    // Twice round: a run may go over the end.
    for slot in region.iter().chain(region) {
        run = if slot.load(Relaxed) == 0 { 0 } else { run + 1 };
        longest = longest.max(run);
    }
    longest.min(region.len() as u64)
}

fn one() -> Amount {
    Amount::from_small(false, 1, 0).unwrap()
}

fn state(stats: &Stats<'_>, recorder: &mut Recorder<'_>) -> Snapshot {
    match stats.snapshot().poll(recorder) {
        Some(Outcome::State(state)) => state,
        other => panic!("there is one worker: {other:?}"),
    }
}

/// Regions of 512 slots: more than [`PROBES_MAX`], as with the default, where a search would take
/// a minute and not a second.
const CAPACITY: Capacity = Capacity {
    users_max: 16_384,
    id_bytes_max: 16_384 * 16,
};

const KNOWN: Key = Key::new(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
const UNKNOWN: Key = Key::new(0x1357_9bdf_0246_8ace, 0x0f1e_2d3c_4b5a_6978);

fn id(number: u64) -> [u8; 8] {
    number.to_le_bytes()
}

/// Slots of a region that are looked at for one id at most.
const RUN_MAX: u64 = PROBES_MAX - LINE_SLOTS as u64;

/// Ids that begin their search of regions at the first slot of the first one, under the known key.
fn colliding(count: usize) -> Vec<[u8; 8]> {
    let within = CAPACITY.region_slots() as u64 - 1;
    let all = (0..u64::MAX).map(id);
    all.filter(|id| KNOWN.hash(id) >> 58 == 0 && KNOWN.hash(id) & within == 0)
        .take(count)
        .collect()
}

#[test]
fn a_flood_against_a_known_key_is_bounded_in_work_and_refused_beyond() {
    assert!(CAPACITY.region_slots() as u64 > RUN_MAX);
    let flood = colliding(RUN_MAX as usize + 64);
    let (first, beyond) = flood.split_at(RUN_MAX as usize);

    let memory = Memory::new(CAPACITY, 1);
    memory.fill_front();
    let stats = memory.stats(KNOWN);
    let mut recorder = stats.recorder(0).unwrap();
    for id in first {
        recorder.record(id, one()).unwrap();
    }
    assert_eq!(
        memory.longest_run(),
        RUN_MAX,
        "they lie one behind the other"
    );
    let before = state(&stats, &mut recorder);
    for id in beyond {
        assert_eq!(recorder.record(id, one()), Err(Refused::Full));
    }
    assert_eq!(state(&stats, &mut recorder), before, "nothing was recorded");
    assert_eq!(memory.longest_run(), RUN_MAX, "nor put anywhere");

    // Others are counted, those of the same region too; but a new user whose search begins at the
    // very start of the run does not come to its end. Those few are refused, and nobody else is.
    let others = CAPACITY.users_max as u64 / 2;
    let mut refused = 0;
    for number in 0..others {
        let id = format!("user_{number}");
        match recorder.record(id.as_bytes(), one()) {
            Ok(()) => {}
            Err(why) => {
                assert_eq!(why, Refused::Full);
                let hash = KNOWN.hash(id.as_bytes());
                let start = hash & (CAPACITY.region_slots() as u64 - 1);
                assert!(hash >> 58 == 0 && start < 32, "{id} begins at {start}");
                refused += 1;
            }
        }
    }
    assert!(refused <= others / 1000, "{refused} of {others} others");
    for id in first {
        recorder.record(id, one()).unwrap();
    }
    let after = state(&stats, &mut recorder);
    let known = RUN_MAX + others - refused;
    assert_eq!((after.users, after.total), (known, known + RUN_MAX));
}

#[test]
fn a_line_that_is_full_goes_on_in_the_region_and_others_do_not() {
    let lines = (CAPACITY.front_slots() / LINE_SLOTS) as u64;
    let line = |id: &[u8]| (KNOWN.hash(id) >> 16) & (lines - 1);
    let of_one_line = (0..u64::MAX).map(id).filter(|id| line(id) == 1);
    let ids: Vec<_> = of_one_line.take(LINE_SLOTS + 3).collect();

    let memory = Memory::new(CAPACITY, 1);
    let stats = memory.stats(KNOWN);
    let mut recorder = stats.recorder(0).unwrap();
    let taken = |slots: &[AtomicU64]| slots.iter().filter(|slot| slot.load(Relaxed) != 0).count();
    for (at, id) in ids.iter().enumerate() {
        // Each is known from then on, with those before it.
        for _ in 0..2 {
            recorder.record(id, one()).unwrap();
            let (regions, front) = memory.slots();
            let in_front = (at + 1).min(LINE_SLOTS);
            assert_eq!(
                (taken(front), taken(regions)),
                (in_front, at + 1 - in_front)
            );
            assert_eq!(taken(&front[LINE_SLOTS..2 * LINE_SLOTS]), in_front);
        }
        for id in &ids[..at] {
            recorder.record(id, one()).unwrap();
        }
    }
    assert_eq!(state(&stats, &mut recorder).users, ids.len() as u64);
}

#[test]
fn a_flood_against_a_known_key_is_pointless_under_another() {
    let flood = colliding(RUN_MAX as usize + 64);
    let run = |ids: &[[u8; 8]]| {
        let memory = Memory::new(CAPACITY, 1);
        memory.fill_front();
        let stats = memory.stats(UNKNOWN);
        let mut recorder = stats.recorder(0).unwrap();
        for id in ids {
            recorder.record(id, one()).unwrap();
        }
        memory.longest_run()
    };
    let ordinary: Vec<_> = (0..flood.len() as u64).map(id).collect();
    // 312 ids in 32,768 slots: runs of two and three, by chance, whatever ids they are.
    assert!(run(&ordinary) <= 4);
    assert!(run(&flood) <= 4, "{}", run(&flood));
}

#[test]
fn a_full_set_of_flooding_ids_has_short_runs_under_an_unknown_key() {
    // As many ids as the set may hold, all of one region under the known key.
    let ids = (0..u64::MAX).map(id).filter(|id| KNOWN.hash(id) >> 58 == 0);
    let memory = Memory::new(CAPACITY, 1);
    let stats = memory.stats(UNKNOWN);
    let mut recorder = stats.recorder(0).unwrap();
    for id in ids.take(CAPACITY.users_max as usize) {
        recorder.record(&id, one()).unwrap();
    }
    assert_eq!(
        state(&stats, &mut recorder).users,
        u64::from(CAPACITY.users_max)
    );
    // The same bound holds for ids of no design at this load: half of the slots.
    let longest = memory.longest_run();
    assert!(longest < PROBES_MAX / 2, "{longest}");
}

#[test]
fn ids_with_the_same_start_and_fingerprint_are_different_users() {
    // Everything of the hash that the set looks at, found by birthday: 2^20 ids have 2^39 pairs, of
    // which 2^8 agree in the 31 bits of a region; 2^18 have as many for the 27 bits of the front.
    // (More than a few such ids for one place cannot be found by search: each costs 2^31 hashes.)
    let within = CAPACITY.region_slots() as u64 - 1;
    let in_region = |hash: u64| ((hash >> 42) & 0x3f_ffff, hash & within);
    let lines = (CAPACITY.front_slots() / LINE_SLOTS) as u64;
    let in_front = |hash: u64| {
        let line = (hash >> 16) & (lines - 1);
        ((hash >> 42) & 0xffff, line << 3 | hash & 7)
    };
    let memory = Memory::new(CAPACITY, 1);
    different_users(&memory, 1 << 18, in_front);
    let memory = Memory::new(CAPACITY, 1);
    memory.fill_front();
    different_users(&memory, 1 << 20, in_region);
}

/// Counts ids that look the same, and sees each as a user of its own.
fn different_users(memory: &Memory, count: u64, looks: impl Fn(u64) -> (u64, u64)) {
    let mut groups: BTreeMap<(u64, u64), Vec<[u8; 8]>> = BTreeMap::new();
    for id in (0..count).map(id) {
        let groups = groups.entry(looks(KNOWN.hash(&id)));
        groups.or_default().push(id);
    }
    let groups: Vec<_> = groups
        .into_values()
        .filter(|group| group.len() > 1)
        .collect();
    assert!(groups.len() > 100, "{}", groups.len());
    let stats = memory.stats(KNOWN);
    let mut recorder = stats.recorder(0).unwrap();
    for id in groups.iter().chain(&groups).flatten() {
        recorder.record(id, one()).unwrap();
    }
    let users = groups.iter().map(Vec::len).sum::<usize>() as u64;
    let after = state(&stats, &mut recorder);
    assert_eq!((after.users, after.total), (users, 2 * users));
}

/// Fills the set with `count` ids of `length` bytes, from two workers in turn, and shows that the
/// next new id, however short, changes nothing.
fn fill(stats: &Stats<'_>, workers: &mut [Recorder<'_>; 2], count: u64, length: usize) {
    let name = |number: u64| format!("{number:0length$}");
    for number in 0..count {
        let worker = &mut workers[number as usize % 2];
        let outcome = worker.record(name(number).as_bytes(), one());
        assert_eq!(outcome, Ok(()), "{number} of {count}");
    }
    let [first, second] = workers;
    second.offline();
    let full = state(stats, first);
    let sum = Amount::from_small(false, count, 0).unwrap();
    let expected = Snapshot {
        total: count,
        users: count,
        refused: 0,
        sum: Sum::ZERO.plus(sum),
    };
    assert_eq!(full, expected);
    let long = std::vec![b'n'; ID_BYTES_MAX];
    for new in [&long[..], &long[..1], b""] {
        // The empty id takes no bytes, but a place; the last one may be left.
        let has_place = new.is_empty() && count < 1 << 20;
        if !has_place {
            assert_eq!(first.record(new, one()), Err(Refused::Full));
        }
    }
    let too_long = std::vec![b'n'; ID_BYTES_MAX + 1];
    assert_eq!(first.record(&too_long, one()), Err(Refused::IdTooLong));
    assert_eq!(state(stats, first), expected, "nothing was recorded");
    for number in [0, count / 2, count - 1] {
        assert_eq!(first.record(name(number).as_bytes(), one()), Ok(()));
    }
    let known = state(stats, first);
    assert_eq!((known.total, known.users), (count + 3, count));
}

#[test]
fn the_default_set_is_full_at_the_last_user_and_the_last_byte_and_empty_after_a_reset() {
    let memory = Memory::new(Capacity::DEFAULT, 2);
    let stats = memory.stats(UNKNOWN);
    let mut workers = [0, 1].map(|index| stats.recorder(index).unwrap());
    let reset = |workers: &mut [Recorder<'_>; 2]| {
        let [first, second] = workers;
        second.offline();
        let outcome = stats.reset().poll(first);
        assert!(
            matches!(outcome, Some(Outcome::Cleared(Some(_)))),
            "{outcome:?}"
        );
    };
    // 64 bytes each: the last user takes the last byte. Then 16,384 of the longest ids, in the
    // other half; then the first half once more.
    fill(&stats, &mut workers, 1 << 20, 64);
    reset(&mut workers);
    fill(&stats, &mut workers, 1 << 14, ID_BYTES_MAX);
    reset(&mut workers);
    fill(&stats, &mut workers, 1 << 20, 64);
}
