//! Histories recorded from real threads: was there one moment for each operation?
//!
//! Threads record, look and reset; a shared counter is their clock. Each history is judged by
//! `barewire_tests::linear`. Ids are shared by all threads, so that users move between phases.

use barewire_core::stats::{Amount, Capacity, Key, Outcome, Recorder, Shard, Snapshot, Stats};
use barewire_tests::linear::{Action, Operation, State, linearize};
use std::sync::Barrier;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use std::thread;
use std::time::{Duration, Instant};

struct Memory {
    shards: Vec<Shard>,
    table: Vec<AtomicU64>,
    arena: Vec<AtomicU64>,
    capacity: Capacity,
}

impl Memory {
    fn new(workers: usize, users_max: u32) -> Memory {
        let capacity = Capacity {
            users_max,
            id_bytes_max: u64::from(users_max) * 8,
        };
        let zeros = |words| (0..words).map(|_| AtomicU64::new(0)).collect();
        Memory {
            shards: (0..workers).map(|_| Shard::new()).collect(),
            table: zeros(capacity.table_words()),
            arena: zeros(capacity.arena_words(workers)),
            capacity,
        }
    }

    fn stats(&self) -> Stats<'_> {
        let key = Key::new(1, 2);
        Stats::new(&self.shards, &self.table, &self.arena, self.capacity, key).unwrap()
    }
}

/// The state that a snapshot says, from the text that clients get.
fn state(snapshot: &Snapshot) -> State {
    let mut text = [0; Snapshot::JSON_BYTES_MAX];
    let length = snapshot.write_json(&mut text).unwrap();
    let text = std::str::from_utf8(&text[..length]).unwrap();
    let (_, sum) = text.split_once(r#""sum":"#).unwrap();
    State {
        total: snapshot.total,
        users: snapshot.users,
        refused: snapshot.refused,
        sum: sum.split(',').next().unwrap().parse().unwrap(),
    }
}

/// One thread of a history, with what it did so far.
struct Process<'a, 's> {
    number: usize,
    stats: &'s Stats<'s>,
    recorder: Recorder<'s>,
    clock: &'a AtomicU64,
    done: Vec<Operation>,
    /// Its own small generator, so that a history is chosen by its seed (the schedule is not).
    random: u64,
}

impl Process<'_, '_> {
    fn random(&mut self, below: u64) -> u64 {
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.random;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % below
    }

    fn now(&self) -> u64 {
        self.clock.fetch_add(1, SeqCst)
    }

    fn note(&mut self, sent: u64, action: Action) {
        let answered = Some(self.now());
        self.done.push(Operation {
            process: self.number,
            sent,
            answered,
            action,
        });
    }

    /// An event, seldom a refused one.
    fn event(&mut self, users: u64) {
        let user = self.random(users);
        let value = self.random(1000) as i128 - 300;
        let sent = self.now();
        let action = if value == 0 {
            self.recorder.refuse();
            Action::Refusal
        } else {
            let amount = Amount::from_small(value < 0, value.unsigned_abs() as u64, 0).unwrap();
            let id = user.to_string();
            self.recorder.record(id.as_bytes(), amount).unwrap();
            Action::Event { user, value }
        };
        self.note(sent, action);
    }

    fn ask(&mut self, reset: bool) {
        let sent = self.now();
        let mut ticket = if reset {
            self.stats.reset()
        } else {
            self.stats.snapshot()
        };
        let begun = Instant::now();
        let outcome = loop {
            if let Some(outcome) = ticket.poll(&mut self.recorder) {
                break outcome;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "nobody moves");
            thread::yield_now();
        };
        self.note(
            sent,
            match outcome {
                Outcome::State(said) => Action::Snapshot(state(&said)),
                Outcome::Cleared(removed) => Action::Reset(removed.as_ref().map(state)),
            },
        );
    }
}

/// Runs `work` on so many threads at once, until each has finished, and gives back what they did.
fn history<'s>(
    stats: &'s Stats<'s>,
    threads: usize,
    seed: u64,
    work: impl Fn(&mut Process<'_, 's>) + Sync,
) -> Vec<Operation> {
    let clock = AtomicU64::new(0);
    let barrier = Barrier::new(threads);
    let (clock, barrier, work) = (&clock, &barrier, &work);
    thread::scope(|scope| {
        let all: Vec<_> = (0..threads)
            .map(|number| {
                let mut process = Process {
                    number,
                    stats,
                    recorder: stats.recorder(number).unwrap(),
                    clock,
                    done: Vec::new(),
                    random: seed * 64 + number as u64,
                };
                scope.spawn(move || {
                    barrier.wait();
                    work(&mut process);
                    // The recorder goes offline here: nobody waits for a thread that has finished.
                    process.done
                })
            })
            .collect();
        all.into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

#[test]
fn four_hundred_short_histories_are_linearizable() {
    const USERS: u64 = 4;
    let (mut snapshots, mut resets, mut overlaps) = (0, 0, 0);
    for seed in 0..400 {
        let threads = 2 + seed as usize % 3;
        let memory = Memory::new(threads, 64);
        let stats = memory.stats();
        let history = history(&stats, threads, seed, |process| {
            for _ in 0..12 {
                match process.random(10) {
                    0..6 => process.event(USERS),
                    6 => {
                        process.recorder.offline();
                        thread::yield_now();
                        process.event(USERS);
                    }
                    7 | 8 => process.ask(false),
                    _ => process.ask(true),
                }
            }
        });
        let outcome = linearize(&history);
        assert!(outcome.is_ok(), "seed {seed}: {outcome:#?} in {history:#?}");
        for operation in &history {
            match operation.action {
                Action::Snapshot(_) => snapshots += 1,
                Action::Reset(_) => resets += 1,
                _ => {}
            }
            let within = |other: &&Operation| {
                other.process != operation.process
                    && (operation.sent..operation.answered.unwrap()).contains(&other.sent)
            };
            overlaps += history.iter().filter(within).count();
        }
    }
    // Otherwise nothing has been shown.
    assert!(snapshots > 1000 && resets > 500, "{snapshots} {resets}");
    assert!(
        overlaps > 1000,
        "{overlaps} operations began within another one"
    );
}

#[test]
fn resets_under_full_load_take_each_event_wholly_or_not_at_all() {
    // Two threads that do nothing but count, each as fast as it can, one that looks and one that
    // resets: a long history, which is judged as a whole.
    const EVENTS_MAX: usize = 20_000;
    let memory = Memory::new(4, 512);
    let stats = memory.stats();
    let stop = AtomicBool::new(false);
    let history = history(&stats, 4, 1, |process| match process.number {
        0 => {
            for _ in 0..100 {
                process.ask(true);
            }
            stop.store(true, Relaxed);
        }
        1 => {
            while !stop.load(Relaxed) {
                process.ask(false);
            }
        }
        _ => {
            while !stop.load(Relaxed) {
                if process.done.len() < EVENTS_MAX {
                    process.event(300);
                }
                process.recorder.turn();
            }
        }
    });
    let is_event = |operation: &&Operation| matches!(operation.action, Action::Event { .. });
    let events = history.iter().filter(is_event).count();
    let outcome = linearize(&history);
    assert!(outcome.is_ok(), "{outcome:#?}");
    assert!(events > 1000, "{events} events are no load");
}

#[test]
fn a_recorded_history_with_one_answer_changed_is_found_out() {
    // The judge judges what this file records, and not only histories made for it.
    let mut found = 0;
    for seed in 0..20 {
        let memory = Memory::new(3, 64);
        let stats = memory.stats();
        let mut history = history(&stats, 3, seed, |process| {
            for _ in 0..5 {
                process.event(4);
                process.ask(false);
            }
        });
        assert_eq!(linearize(&history), Ok(()));
        let mut snapshots =
            history
                .iter_mut()
                .filter_map(|operation| match &mut operation.action {
                    Action::Snapshot(state) => Some(state),
                    _ => None,
                });
        snapshots.nth(seed as usize % 15).unwrap().sum += 1;
        found += usize::from(linearize(&history).is_err());
    }
    // A sum that is one more may be that of other events by chance; values are up to a thousand.
    assert!(found >= 18, "{found} of 20");
}
