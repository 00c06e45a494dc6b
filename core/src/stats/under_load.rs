//! Tests of the whole: random schedules against a model, and real threads.

extern crate std;
use super::word::Word;
use super::*;
use core::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::format;
use std::string::String;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};
use std::vec::Vec;

struct Memory {
    shards: Vec<Shard>,
    table: Vec<AtomicU64>,
    arena: Vec<AtomicU64>,
    capacity: Capacity,
}

fn memory(workers: usize, users_max: u32) -> Memory {
    let capacity = Capacity {
        users_max,
        id_bytes_max: u64::from(users_max) * 16,
    };
    let zeros = |words| (0..words).map(|_| AtomicU64::new(0)).collect();
    Memory {
        shards: (0..workers).map(|_| Shard::new()).collect(),
        table: zeros(capacity.table_words()),
        arena: zeros(capacity.arena_words(workers)),
        capacity,
    }
}

impl Memory {
    fn stats(&self) -> Stats<'_> {
        let key = Key::new(5, 6);
        Stats::new(&self.shards, &self.table, &self.arena, self.capacity, key).unwrap()
    }
}

fn amount(integer: u64, half: bool) -> Amount {
    let text = format!("{integer}");
    let fraction: &[u8] = if half { b"5" } else { b"" };
    Amount::from_decimal(false, text.as_bytes(), fraction, 0).unwrap()
}

fn whole(integer: u64) -> Sum {
    Sum::ZERO.plus(amount(integer, false))
}

/// Polls to the end, giving way to the others.
fn finish(mut ticket: Ticket, recorder: &mut Recorder<'_>) -> Outcome {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(60) {
        if let Some(outcome) = ticket.poll(recorder) {
            return outcome;
        }
        thread::yield_now();
    }
    panic!("a worker does not move");
}

fn state(ticket: Ticket, recorder: &mut Recorder<'_>) -> Snapshot {
    match finish(ticket, recorder) {
        Outcome::State(state) => state,
        Outcome::Cleared(_) => panic!("a snapshot was asked for"),
    }
}

// ---- Random schedules against a model, on one thread ---------------------------------------------

/// One step of one of three workers. A worker that holds a word is in the middle of an event and can
/// only finish it.
#[derive(Clone, Copy, Debug)]
enum Act {
    Load,
    Finish(u8),
    Refuse,
    Offline,
    Ask,
    AskReset,
    Poll,
    Drop,
}

fn act() -> impl Strategy<Value = (usize, Act)> {
    let act = prop_oneof![
        4 => Just(Act::Load),
        6 => (0..12u8).prop_map(Act::Finish),
        1 => Just(Act::Refuse),
        1 => Just(Act::Offline),
        2 => Just(Act::Ask),
        1 => Just(Act::AskReset),
        6 => Just(Act::Poll),
        1 => Just(Act::Drop),
    ];
    (0..3usize, act)
}

/// What the model knows of an event: its phase, and its user (`None`: refused).
type Event = (u64, Option<u8>);

/// The state that the events up to the end of `phase` make.
fn expected(events: &[Event], eras: &[u64], phase: u64) -> Snapshot {
    let began = *eras.iter().rev().find(|&&began| began <= phase).unwrap();
    let within = || events.iter().filter(|(at, _)| (began..=phase).contains(at));
    let counted = || within().filter_map(|(_, user)| *user);
    Snapshot {
        total: counted().count() as u64,
        users: counted().collect::<BTreeSet<_>>().len() as u64,
        refused: within().filter(|(_, user)| user.is_none()).count() as u64,
        sum: counted().fold(Sum::ZERO, |sum, user| sum.plus(amount(user.into(), true))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn every_schedule_of_three_workers_agrees_with_the_model(
        acts in prop::collection::vec(act(), 1..300),
    ) {
        let memory = memory(3, 20);
        let stats = memory.stats();
        let mut recorders: Vec<_> = (0..3).map(|index| stats.recorder(index).unwrap()).collect();
        let mut held = [None; 3];
        let mut tickets: [Option<Ticket>; 3] = [None, None, None];
        let mut events: Vec<Event> = Vec::new();
        let mut eras = std::vec![1];
        let now = || Word::from_bits(stats.word.0.load(Relaxed));
        for (index, act) in acts {
            let recorder = &mut recorders[index];
            match (act, held[index]) {
                (Act::Load, None) => held[index] = Some(recorder.current()),
                (Act::Finish(user), Some(word)) => {
                    let id = format!("{user}");
                    recorder.record_under(word, id.as_bytes(), amount(user.into(), true)).unwrap();
                    events.push((word.phase(), Some(user)));
                    held[index] = None;
                }
                (Act::Refuse, None) => {
                    recorder.refuse();
                    events.push((now().phase(), None));
                }
                (Act::Offline, None) => recorder.offline(),
                (Act::Ask, _) => tickets[index] = Some(stats.snapshot()),
                (Act::AskReset, _) => tickets[index] = Some(stats.reset()),
                (Act::Drop, _) => tickets[index] = None,
                (Act::Poll, None) => {
                    let Some(ticket) = &mut tickets[index] else { continue };
                    let before = now();
                    let outcome = ticket.poll(recorder);
                    let after = now();
                    prop_assert!(after.phase() - before.phase() <= 1);
                    if after.tag() != before.tag() {
                        prop_assert!(ticket.is_reset());
                        eras.push(after.phase());
                    }
                    let asked_in = ticket.asked_in;
                    match outcome {
                        Some(Outcome::State(state)) => {
                            // The phases that may have been the last one folded.
                            let ends = [after.phase() - 1, after.phase().saturating_sub(2)];
                            let fits = ends.iter().any(|&end| {
                                end >= asked_in && state == expected(&events, &eras, end)
                            });
                            prop_assert!(fits, "{state:?} {events:?}");
                        }
                        Some(Outcome::Cleared(Some(removed))) => {
                            let mut ends = eras.iter().map(|began| began - 1);
                            let fits = ends.any(|end| {
                                end >= asked_in && removed == expected(&events, &eras, end)
                            });
                            prop_assert!(fits, "{removed:?} {events:?}");
                        }
                        Some(Outcome::Cleared(None)) => {
                            prop_assert!(eras.iter().any(|&began| began > asked_in));
                        }
                        None => continue,
                    }
                    tickets[index] = None;
                }
                _ => {}
            }
        }
        // Let everybody finish: the last state is exact.
        for (recorder, word) in recorders.iter_mut().zip(held) {
            if let Some(word) = word {
                recorder.record_under(word, b"0", amount(0, true)).unwrap();
                events.push((word.phase(), Some(0)));
            }
            recorder.offline();
        }
        let mut ticket = stats.snapshot();
        let outcome = ticket.poll_from_outside(&stats);
        let last = expected(&events, &eras, now().phase());
        prop_assert_eq!(outcome, Some(Outcome::State(last)));
    }
}

#[test]
fn a_snapshot_waits_for_a_busy_worker_and_not_for_one_that_is_offline() {
    let memory = memory(3, 10);
    let stats = memory.stats();
    let mut first = stats.recorder(0).unwrap();
    let mut second = stats.recorder(1).unwrap();
    let mut ticket = stats.snapshot();
    assert_eq!(ticket.poll(&mut first), None);
    assert_eq!(ticket.poll(&mut first), None);
    second.turn();
    assert_eq!(
        ticket.poll(&mut first),
        Some(Outcome::State(Snapshot::EMPTY))
    );
    let mut ticket = stats.snapshot();
    assert_eq!(ticket.poll(&mut first), None);
    second.offline();
    assert!(ticket.poll(&mut first).is_some());
    // A record wakes it by itself, and a dropped recorder is offline too.
    second.record(b"a", amount(1, false)).unwrap();
    let mut ticket = stats.snapshot();
    assert_eq!(ticket.poll(&mut first), None);
    drop(second);
    let Some(Outcome::State(state)) = ticket.poll(&mut first) else {
        panic!("nobody is left to wait for");
    };
    assert_eq!((state.total, state.users), (1, 1));
}

#[test]
fn a_ticket_that_is_dropped_stops_nobody() {
    let memory = memory(2, 10);
    let stats = memory.stats();
    let mut first = stats.recorder(0).unwrap();
    let mut second = stats.recorder(1).unwrap();
    let mut dropped = stats.reset();
    assert_eq!(dropped.poll(&mut first), None);
    drop(dropped);
    second.record(b"a", amount(1, false)).unwrap();
    first.offline();
    assert_eq!(state(stats.snapshot(), &mut second).total, 1);
}

#[test]
fn each_index_has_one_recorder_at_a_time() {
    let memory = memory(2, 10);
    let stats = memory.stats();
    let first = stats.recorder(0).unwrap();
    assert!(stats.recorder(0).is_none());
    assert!(stats.recorder(1).is_some());
    assert!(stats.recorder(2).is_none());
    drop(first);
    assert!(stats.recorder(0).is_some());
}

#[test]
fn refused_events_change_nothing_but_their_own_count() {
    let memory = memory(1, 1);
    let stats = memory.stats();
    let mut recorder = stats.recorder(0).unwrap();
    recorder.record(b"a", amount(2, false)).unwrap();
    let long = [b'x'; ID_BYTES_MAX + 1];
    assert_eq!(
        recorder.record(&long, amount(1, false)),
        Err(Refused::IdTooLong)
    );
    assert_eq!(recorder.record(b"b", amount(1, false)), Err(Refused::Full));
    let before = state(stats.snapshot(), &mut recorder);
    assert_eq!(before.refused, 0);
    recorder.refuse();
    let after = state(stats.snapshot(), &mut recorder);
    assert_eq!(
        after,
        Snapshot {
            refused: 1,
            ..before
        }
    );
    assert_eq!((after.total, after.users, after.sum), (1, 1, whole(2)));
}

// ---- Real threads ---------------------------------------------------------------------------------

#[test]
fn sixty_four_threads_count_exactly() {
    const THREADS: u64 = 64;
    const EVENTS: u64 = 20_000;
    // Workers that meet at the same new id hold a place each until one has won: so many places
    // beyond the users, and nobody is refused, however the system interrupts them. The race for
    // the very last place has a test of its own.
    let memory = memory(THREADS as usize, 7500 + THREADS as u32);
    let stats = memory.stats();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let mut recorder = stats.recorder(thread as usize).unwrap();
            scope.spawn(move || {
                for i in thread * EVENTS..(thread + 1) * EVENTS {
                    let id = format!("user_{}", i % 7500);
                    recorder
                        .record(id.as_bytes(), amount(i % 1000, true))
                        .unwrap();
                }
            });
        }
    });
    let mut recorder = stats.recorder(0).unwrap();
    let state = state(stats.snapshot(), &mut recorder);
    assert_eq!((state.total, state.users), (THREADS * EVENTS, 7500));
    assert_eq!(state.sum, whole(THREADS * EVENTS / 1000 * 500_000));
}

#[test]
fn the_same_new_id_at_the_same_time_is_one_user() {
    const THREADS: usize = 4;
    const IDS: u32 = 1000;
    // Capacity is exactly what is needed: no place may be lost in a race.
    let memory = memory(THREADS, IDS);
    let stats = memory.stats();
    let barrier = Barrier::new(THREADS);
    for round in 0..20 {
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let mut recorder = stats.recorder(thread).unwrap();
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    for i in 0..IDS {
                        let id = format!("{i}");
                        while recorder.record(id.as_bytes(), amount(1, false)).is_err() {
                            // Only in the race for the last places, of which each of the others
                            // may hold one for the same id; see the module's text.
                            assert!(i + THREADS as u32 > IDS, "{i}");
                            thread::yield_now();
                        }
                    }
                });
            }
        });
        let mut recorder = stats.recorder(0).unwrap();
        let Outcome::Cleared(Some(state)) = finish(stats.reset(), &mut recorder) else {
            panic!("nobody else resets");
        };
        let total = THREADS as u64 * u64::from(IDS);
        assert_eq!(
            (state.total, state.users),
            (total, u64::from(IDS)),
            "{round}"
        );
        assert_eq!(state.sum, whole(total));
    }
}

/// Runs `workers` threads that record for a while, each with its own recorder (from index 1), and
/// `watch` with recorder 0 meanwhile; `watch` ends the run.
fn with_load<'s>(
    stats: &'s Stats<'s>,
    workers: usize,
    work: impl Fn(usize, u64, &mut Recorder<'_>) + Sync,
    watch: impl FnOnce(&mut Recorder<'_>),
) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for worker in 1..=workers {
            let mut recorder = stats.recorder(worker).unwrap();
            let (work, stop) = (&work, &stop);
            scope.spawn(move || {
                for i in 0.. {
                    if stop.load(Relaxed) {
                        break;
                    }
                    work(worker, i, &mut recorder);
                    // Blocks now and then, as a worker does that has nothing to do.
                    if i % 61 == 0 {
                        recorder.offline();
                        thread::yield_now();
                    }
                    if i % 7 == 0 {
                        recorder.turn();
                    }
                }
            });
        }
        let mut recorder = stats.recorder(0).unwrap();
        watch(&mut recorder);
        recorder.offline();
        stop.store(true, Relaxed);
    });
}

/// Snapshots taken in each test. Each waits for workers that the machine has interrupted, so with
/// fewer cores than threads it costs some milliseconds.
const CHECKS: u64 = 150;

#[test]
fn every_snapshot_under_load_is_one_set_of_events() {
    let memory = memory(4, 1 << 20);
    let stats = memory.stats();
    let unique = |worker: usize, i: u64, recorder: &mut Recorder<'_>| {
        let id = format!("{worker}_{}", i % 300_000);
        if i < 300_000 {
            recorder.record(id.as_bytes(), amount(1, false)).unwrap();
        }
    };
    with_load(&stats, 3, unique, |recorder| {
        let mut last = 0;
        for _ in 0..CHECKS {
            let state = state(stats.snapshot(), recorder);
            assert_eq!(state.total, state.users);
            assert_eq!(whole(state.total), state.sum);
            assert!(state.total >= last);
            last = state.total;
        }
    });
}

#[test]
fn users_shared_by_all_workers_fit_the_total_in_every_snapshot() {
    // Every worker sends the ids 0, 1, 2 and so on: the users are the progress of the fastest one,
    // the total is everybody's together.
    let memory = memory(4, 1 << 20);
    let stats = memory.stats();
    let same = |_, i: u64, recorder: &mut Recorder<'_>| {
        if i < 1 << 20 {
            recorder
                .record(format!("{i}").as_bytes(), amount(1, false))
                .unwrap();
        }
    };
    with_load(&stats, 3, same, |recorder| {
        for _ in 0..CHECKS {
            let Snapshot { total, users, .. } = state(stats.snapshot(), recorder);
            assert!(users <= total && total <= 3 * users, "{total} {users}");
        }
    });
}

#[test]
fn an_answered_event_is_in_and_an_unsent_one_is_not() {
    let memory = memory(4, 100);
    let stats = memory.stats();
    let (sent, answered) = (AtomicU64::new(0), AtomicU64::new(0));
    let tell = |_, i: u64, recorder: &mut Recorder<'_>| {
        sent.fetch_add(1, SeqCst);
        recorder
            .record(format!("{}", i % 100).as_bytes(), amount(1, false))
            .unwrap();
        answered.fetch_add(1, SeqCst);
    };
    with_load(&stats, 3, tell, |recorder| {
        for _ in 0..CHECKS {
            let least = answered.load(SeqCst);
            let total = state(stats.snapshot(), recorder).total;
            let most = sent.load(SeqCst);
            assert!((least..=most).contains(&total), "{least} {total} {most}");
        }
    });
}

#[test]
fn no_event_is_lost_or_doubled_by_resets_under_load() {
    let memory = memory(4, 1 << 16);
    let stats = memory.stats();
    let sent = AtomicU64::new(0);
    let mut removed = Snapshot::EMPTY;
    let unique = |worker: usize, i: u64, recorder: &mut Recorder<'_>| {
        let id = format!("{worker}_{i}");
        // Full between two resets that are far apart: then it counts for nothing.
        if recorder.record(id.as_bytes(), amount(1, false)).is_ok() {
            sent.fetch_add(1, Relaxed);
        }
    };
    with_load(&stats, 3, unique, |recorder| {
        for _ in 0..CHECKS {
            let between = state(stats.snapshot(), recorder);
            assert_eq!(between.total, between.users);
            let Outcome::Cleared(Some(part)) = finish(stats.reset(), recorder) else {
                panic!("nobody else resets");
            };
            assert!(part.total >= between.total);
            assert_eq!(part.total, part.users);
            assert_eq!(whole(part.total), part.sum);
            removed = removed.plus(&part);
        }
    });
    let mut recorder = stats.recorder(0).unwrap();
    let rest = state(stats.snapshot(), &mut recorder);
    let all = removed.plus(&rest);
    let sent = sent.load(Relaxed);
    assert_eq!((all.total, all.users, all.sum), (sent, sent, whole(sent)));
}

#[test]
fn many_coordinators_at_once_all_get_consistent_answers() {
    let memory = memory(4, 1000);
    let stats = memory.stats();
    let mixed = |worker: usize, i: u64, recorder: &mut Recorder<'_>| {
        recorder
            .record(format!("{}", i % 1000).as_bytes(), amount(1, false))
            .unwrap();
        if i % 50 == worker as u64 {
            let ticket = if i.is_multiple_of(5) {
                stats.reset()
            } else {
                stats.snapshot()
            };
            match finish(ticket, recorder) {
                Outcome::State(state) | Outcome::Cleared(Some(state)) => {
                    assert!(state.users <= state.total.min(1000));
                    assert_eq!(whole(state.total), state.sum);
                }
                Outcome::Cleared(None) => {}
            }
        }
    };
    with_load(&stats, 3, mixed, |recorder| {
        for _ in 0..CHECKS {
            let state = state(stats.snapshot(), recorder);
            assert_eq!(whole(state.total), state.sum);
        }
    });
}

#[test]
fn adversarial_ids_spread_over_all_regions() {
    // Ids made to collide under the multiply-by-31 hash of careless servers: "Aa" and "BB".
    let memory = memory(1, 1 << 14);
    let stats = memory.stats();
    let mut recorder = stats.recorder(0).unwrap();
    for i in 0..1u32 << 14 {
        let id: String = (0..14)
            .map(|bit| if i >> bit & 1 == 0 { "Aa" } else { "BB" })
            .collect();
        // 28 bytes each: the bytes run out first.
        let outcome = recorder.record(id.as_bytes(), amount(1, false));
        let fits = u64::from(i + 1) * 28 <= memory.capacity.id_bytes_max;
        assert_eq!(outcome.is_ok(), fits, "{i}");
    }
}
