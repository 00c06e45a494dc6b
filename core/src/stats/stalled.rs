//! Tests of progress: one thread is stopped at its worst point, and the others go on.
//!
//! (At any instruction, by a signal: `platform-linux/tests/stalled.rs`.)

extern crate std;
use super::register::AtomicU64;
use super::ticket::Outcome;
use super::*;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};
use std::vec::Vec;

/// Who waits so long waits for the thread that is stopped.
const PATIENCE: Duration = Duration::from_secs(20);

/// Events of those that go on: a few turns of every loop that could wait.
const EVENTS: u64 = 20_000;

struct Memory {
    shards: Vec<Shard>,
    table: Vec<AtomicU64>,
    arena: Vec<AtomicU64>,
}

const CAPACITY: Capacity = Capacity {
    users_max: 100_000,
    id_bytes_max: 100_000 * 8,
};

fn memory(workers: usize) -> Memory {
    let zeros = |words| (0..words).map(|_| AtomicU64::new(0)).collect();
    Memory {
        shards: (0..workers).map(|_| Shard::new()).collect(),
        table: zeros(CAPACITY.table_words()),
        arena: zeros(CAPACITY.arena_words(workers)),
    }
}

impl Memory {
    fn stats(&self) -> Stats<'_> {
        let key = Key::new(7, 8);
        Stats::new(&self.shards, &self.table, &self.arena, CAPACITY, key).unwrap()
    }
}

fn one() -> Amount {
    Amount::from_small(false, 1, 0).unwrap()
}

/// Records events of known and of new users, shared with all other threads of a test, and passes a
/// turn after each.
fn go_on(recorder: &mut Recorder<'_>) {
    for number in 0..EVENTS {
        recorder.record(&number.to_le_bytes(), one()).unwrap();
        recorder.record(&0_u64.to_le_bytes(), one()).unwrap();
        recorder.refuse();
        recorder.turn();
    }
    recorder.offline();
}

/// Waits for `work` on another thread; whoever is stopped meanwhile stays so.
fn within_patience<T: Send>(done: &Receiver<T>) -> T {
    done.recv_timeout(PATIENCE)
        .expect("somebody waits for the thread that is stopped")
}

#[test]
fn a_recorder_stopped_in_an_event_stops_no_recorder_and_its_event_counts_once() {
    let memory = memory(3);
    let stats = memory.stats();
    let (stopped, is_stopped) = channel();
    let (release, released) = channel::<()>();
    let (done, all_done) = channel();
    thread::scope(|scope| {
        let stats = &stats;
        let mut victim = stats.recorder(0).unwrap();
        scope.spawn(move || {
            // It has the word, and has written nothing yet: whatever the others do, it will book
            // under this word.
            let word = victim.current();
            stopped.send(()).unwrap();
            let _ = released.recv();
            victim
                .record_under(word, &1_u64.to_le_bytes(), one())
                .unwrap();
        });
        within_patience(&is_stopped);
        for index in 1..3 {
            let mut recorder = stats.recorder(index).unwrap();
            let done = done.clone();
            scope.spawn(move || {
                go_on(&mut recorder);
                done.send(()).unwrap();
            });
        }
        (1..3).for_each(|_| within_patience(&all_done));
        // The answer does wait, the call does not.
        let mut ticket = stats.snapshot();
        assert!((0..1000).all(|_| ticket.poll_from_outside(stats).is_none()));
        drop(release);
        let begun = Instant::now();
        let state = loop {
            match ticket.poll_from_outside(stats) {
                Some(Outcome::State(state)) => break state,
                _ => assert!(begun.elapsed() < PATIENCE),
            }
            thread::yield_now();
        };
        assert_eq!((state.total, state.users), (4 * EVENTS + 1, EVENTS));
        assert_eq!(state.refused, 2 * EVENTS);
    });
}

#[test]
fn a_coordinator_stopped_at_the_desk_stops_no_recorder_and_no_call_of_another() {
    for reset in [false, true] {
        let memory = memory(3);
        let stats = memory.stats();
        let (stopped, is_stopped) = channel();
        let (release, released) = channel::<()>();
        let (done, all_done) = channel();
        thread::scope(|scope| {
            let stats = &stats;
            scope.spawn(move || {
                let mut ticket = if reset {
                    stats.reset()
                } else {
                    stats.snapshot()
                };
                // It has the desk, and has ended a phase or two.
                let mut looks = 0;
                let at_the_desk = || {
                    looks += 1;
                    if looks == 2 {
                        stopped.send(()).unwrap();
                        let _ = released.recv();
                    }
                };
                let _ = stats.poll(&mut ticket, at_the_desk);
            });
            within_patience(&is_stopped);
            for index in 0..3 {
                let mut recorder = stats.recorder(index).unwrap();
                let done = done.clone();
                scope.spawn(move || {
                    go_on(&mut recorder);
                    // A taken desk is an answer.
                    let mut ticket = recorder.stats.snapshot();
                    assert!((0..1000).all(|_| ticket.poll(&mut recorder).is_none()));
                    recorder.offline();
                    done.send(()).unwrap();
                });
            }
            (0..3).for_each(|_| within_patience(&all_done));
            drop(release);
        });
        let mut ticket = stats.snapshot();
        let Some(Outcome::State(state)) = ticket.poll_from_outside(&stats) else {
            panic!("nobody is in the way");
        };
        assert_eq!((state.total, state.users), (6 * EVENTS, EVENTS));
        assert_eq!(state.refused, 3 * EVENTS);
    }
}
