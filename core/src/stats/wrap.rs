//! Tests of the word's ends: era tags that come again, and the last phases.

extern crate std;
use super::register::AtomicU64;
use super::ticket::Outcome;
use super::users::Users;
use super::word::{PHASE_MASK, TAGS, Word};
use super::*;
use core::sync::atomic::Ordering::Relaxed;
use std::vec::Vec;

const CAPACITY: Capacity = Capacity {
    users_max: 8,
    id_bytes_max: 8,
};

/// Runs `test` on statistics for two workers that begin under this word.
fn beginning_at(word: Word, test: impl FnOnce(&Stats<'_>)) {
    let zeros = |words| -> Vec<AtomicU64> { (0..words).map(|_| AtomicU64::new(0)).collect() };
    let shards = [Shard::new(), Shard::new()];
    let (table, arena) = (
        zeros(CAPACITY.table_words()),
        zeros(CAPACITY.arena_words(2)),
    );
    let users = Users::new(&CAPACITY, 2, &table, &arena, Key::new(1, 2)).unwrap();
    test(&Stats::begin(word, &shards, users));
}

fn word(stats: &Stats<'_>) -> Word {
    Word::from_bits(stats.word.0.load(Relaxed))
}

fn amount(value: u64) -> Amount {
    Amount::from_small(false, value, 0).unwrap()
}

fn made_of(total: u64, users: u64, value: u64) -> Snapshot {
    Snapshot {
        total,
        users,
        refused: 0,
        sum: Sum::ZERO.plus(amount(value)),
    }
}

/// Two workers, and one of them is late: it counts under the word that it loaded before the other
/// one has ended the phase. Three events of two users in all; `reset` says how the phase ends.
/// Everything of it is exact, and it is all in what the reset removes or in the last snapshot.
fn round(stats: &Stats<'_>, workers: &mut [Recorder<'_>; 2], number: u64, reset: bool) {
    let at = |recorder: &mut Recorder<'_>, ticket: &mut Ticket| ticket.poll(recorder);
    let [fast, late] = workers;
    let value = number % 1000 + 1;

    let held = late.current();
    fast.record(b"a", amount(value)).unwrap();
    let mut ticket = if reset {
        stats.reset()
    } else {
        stats.snapshot()
    };
    assert_eq!(
        at(fast, &mut ticket),
        None,
        "{number}: the other one has still to move"
    );
    // Ahead of the late one: same era after a snapshot, next era after a reset.
    fast.record(b"b", amount(value)).unwrap();
    late.record_under(held, b"b", amount(value)).unwrap();
    assert_eq!(at(fast, &mut ticket), None, "{number}");
    late.turn();
    // The late event came first, and its user with it.
    let first = made_of(2, 2, 2 * value);
    let expected = if reset {
        Outcome::Cleared(Some(first))
    } else {
        Outcome::State(first)
    };
    assert_eq!(at(fast, &mut ticket), Some(expected), "{number}");

    // What is left goes with a reset of its own.
    late.offline();
    let rest = if reset {
        made_of(1, 1, value)
    } else {
        made_of(3, 2, 3 * value)
    };
    let mut ticket = stats.snapshot();
    assert_eq!(
        at(fast, &mut ticket),
        Some(Outcome::State(rest)),
        "{number}"
    );
    let mut ticket = stats.reset();
    assert_eq!(
        at(fast, &mut ticket),
        Some(Outcome::Cleared(Some(rest))),
        "{number}"
    );
}

#[test]
fn era_tags_run_through_their_end_exactly() {
    for reset in [false, true] {
        beginning_at(Word::new(TAGS - 3, 1_000_000), |stats| {
            let mut workers = [0, 1].map(|index| stats.recorder(index).unwrap());
            let mut tags = Vec::new();
            for number in 0..8 {
                tags.push(word(stats).tag());
                round(stats, &mut workers, number, reset);
            }
            assert!(
                tags.contains(&1) || tags.contains(&2),
                "{tags:?} are not around the end"
            );
            assert_eq!(tags[0], TAGS - 3);
        });
    }
}

#[test]
fn all_era_tags_and_some_again_are_exact() {
    // So many resets that each tag was there twice: a slot or a cell that was forgotten under the
    // first one would be found.
    beginning_at(Word::FIRST, |stats| {
        let mut workers = [0, 1].map(|index| stats.recorder(index).unwrap());
        for number in 0..TAGS + 100 {
            round(stats, &mut workers, number, number % 2 == 0);
        }
    });
}

#[test]
fn the_last_phases_are_exact() {
    // Each round takes three phases; the last one ends close before the end of all.
    const ROUNDS: u64 = 100;
    for tag in [1, 2, TAGS - 20, TAGS] {
        beginning_at(Word::new(tag, PHASE_MASK - 3 * ROUNDS), |stats| {
            let mut workers = [0, 1].map(|index| stats.recorder(index).unwrap());
            for number in 0..ROUNDS {
                round(stats, &mut workers, number, number % 3 == 0);
            }
            assert_eq!(word(stats).phase(), PHASE_MASK);
        });
    }
}
