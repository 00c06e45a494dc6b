//! Events a second by threads, and what sharding a set of users brings. Measured, not judged:
//!
//! ```text
//! cargo test --release -p barewire-tests --test stats_scaling -- --ignored --nocapture
//! ```
//!
//! The statistics have one design point for the user set: 64 regions without a lock. More regions
//! or fewer only move the places where a search ends, since a known user costs no write to shared
//! memory, and a new one writes to one word of the whole set (the places left), however many
//! regions there are. What shards are commonly for is shown beside it: the plain set behind a lock
//! for each shard, with 1, 8, 64 and 256 of them; and counters alone, as many, each on a line of
//! its own, with an atomic addition or behind a lock.

use barewire_core::stats::{Amount, Capacity, Key, Outcome, Shard, Stats};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, LazyLock, Mutex};
use std::thread;
use std::time::Instant;

const USERS: u64 = 75_000;

/// Ids of 10 bytes, made before the clock runs.
static IDS: LazyLock<Vec<[u8; 10]>> = LazyLock::new(|| {
    let id = |i| format!("user{i:06}").into_bytes().try_into();
    (0..400_000).map(|i| id(i).expect("ten bytes")).collect()
});

/// Nanoseconds that this thread has run so far, where the system tells (zero elsewhere): unlike the
/// clock on the wall, it does not count what else the machine does.
fn cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = text.split(' ').next().unwrap_or_default();
    first.parse().unwrap_or(0)
}

/// Millions of events a second of all threads, and nanoseconds of processor time for each event.
#[derive(Clone, Copy)]
struct Speed(f64, f64);

/// Runs each worker on a thread of its own for so many events.
fn measure<W: FnMut(u64) + Send>(workers: Vec<W>, events: u64) -> Speed {
    let all = workers.len() as u64 * events;
    let barrier = Barrier::new(workers.len() + 1);
    let mut begun = Instant::now();
    let cpu: u64 = thread::scope(|scope| {
        let spawn = |mut worker: W| {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                let before = cpu_ns();
                (0..events).for_each(&mut worker);
                cpu_ns() - before
            })
        };
        let threads: Vec<_> = workers.into_iter().map(spawn).collect();
        barrier.wait();
        begun = Instant::now();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    let seconds = begun.elapsed().as_secs_f64();
    Speed(all as f64 / seconds / 1e6, cpu as f64 / all as f64)
}

/// The statistics under `threads` threads; the total is checked to the last event. The first
/// `there` users are there before the clock runs; each event has the user that `user` names of
/// (thread, event).
fn ours(there: u64, threads: u64, events: u64, user: impl Fn(u64, u64) -> u64 + Sync) -> Speed {
    let zeros = |words| -> Vec<AtomicU64> { (0..words).map(|_| AtomicU64::new(0)).collect() };
    // As many users as there are ids, or a little more.
    let capacity = Capacity {
        users_max: 1 << 19,
        id_bytes_max: 10 << 19,
    };
    let shards: Vec<Shard> = (0..threads).map(|_| Shard::new()).collect();
    let table = zeros(capacity.table_words());
    let arena = zeros(capacity.arena_words(threads as usize));
    let stats = Stats::new(&shards, &table, &arena, capacity, Key::new(1, 2)).unwrap();
    let ids = &*IDS;
    let value = Amount::from_small(false, 1995, 2).unwrap();
    let mut first = stats.recorder(0).unwrap();
    for id in &ids[..there as usize] {
        first.record(id, value).unwrap();
    }
    drop(first);
    let workers = (0..threads).map(|thread| {
        let mut recorder = stats.recorder(thread as usize).unwrap();
        let user = &user;
        move |event| {
            let id = &ids[user(thread, event) as usize];
            recorder.record(id, value).unwrap();
        }
    });
    let speed = measure(workers.collect(), events);
    let outcome = stats.snapshot().poll_from_outside(&stats);
    let Some(Outcome::State(state)) = outcome else {
        panic!("nobody records any more");
    };
    assert_eq!(state.total, there + threads * events);
    let mut all: HashSet<u64> = (0..there).collect();
    (0..threads).for_each(|thread| all.extend((0..events).map(|event| user(thread, event))));
    assert_eq!(state.users, all.len() as u64);
    speed
}

/// A plain set of users behind a lock for each shard, and nothing else: no counts, no sums.
fn locked(
    shards: usize,
    there: u64,
    threads: u64,
    events: u64,
    user: impl Fn(u64, u64) -> u64 + Sync,
) -> Speed {
    let keys = RandomState::new();
    let sets: Vec<Mutex<HashSet<[u8; 10]>>> = (0..shards).map(|_| Mutex::default()).collect();
    let ids = &*IDS;
    for id in &ids[..there as usize] {
        let shard = keys.hash_one(id) as usize % sets.len();
        sets[shard].lock().unwrap().insert(*id);
    }
    let workers = (0..threads).map(|thread| {
        let (sets, keys, user) = (&sets, &keys, &user);
        move |event| {
            let id = &ids[user(thread, event) as usize];
            let shard = keys.hash_one(id) as usize % sets.len();
            sets[shard].lock().unwrap().insert(*id);
        }
    });
    measure(workers.collect(), events)
}

/// The best of seven runs: what else the machine does can only make it slower.
fn best(run: impl FnMut() -> Speed) -> Speed {
    let speeds = std::iter::repeat_with(run).take(7);
    let none = Speed(0.0, f64::INFINITY);
    speeds.fold(none, |best, one| {
        Speed(best.0.max(one.0), best.1.min(one.1))
    })
}

/// Another order of users for each thread, so that threads meet by chance.
fn known(thread: u64, event: u64) -> u64 {
    (event * 7919 + thread * 31_337) % USERS
}

/// Only new users, and other ones on each thread.
fn new(thread: u64, event: u64) -> u64 {
    thread * 200_000 + event
}

#[ignore = "a measurement, not a judgement"]
#[test]
fn contention_on_the_user_set() {
    const KNOWN: u64 = 500_000;
    const NEW: u64 = 200_000;
    println!("two threads, best of 7: millions of events a second, ns of processor time for each");
    println!("{:<56} {:>19} {:>19}", "", "known users", "new users");
    let rows = |name: &str, known: Speed, new: Speed| {
        let column = |speed: Speed| format!("{:>8.1} {:>7.1} ns", speed.0, speed.1);
        println!("{name:<56} {} {}", column(known), column(new));
    };
    let kept = best(|| ours(USERS, 2, KNOWN, known));
    rows(
        "the statistics: 64 regions, no lock, counts and sums",
        kept,
        best(|| ours(0, 2, NEW, new)),
    );
    for shards in [1, 8, 64, 256] {
        let kept = best(|| locked(shards, USERS, 2, KNOWN, known));
        let added = best(|| locked(shards, 0, 2, NEW, new));
        rows(
            &format!("only a set of users, behind {shards} locks"),
            kept,
            added,
        );
    }
}

/// A counter on lines of its own: two, as processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Own<T>(T);

/// Which of the counters an event has: without a pattern that could be foreseen.
fn any(thread: u64, event: u64) -> usize {
    let mixed = (event ^ (thread << 40)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize
}

/// Counts alone: how long one takes on each thread, by an addition (`fetch_add`) and under a lock.
fn counts(threads: u64, counters: usize, events: u64) -> [Speed; 2] {
    let atomics: Vec<Own<AtomicU64>> = (0..counters).map(|_| Own::default()).collect();
    let locks: Vec<Own<Mutex<u64>>> = (0..counters).map(|_| Own::default()).collect();
    let by_addition = (0..threads).map(|thread| {
        let atomics = &atomics;
        move |event| {
            atomics[any(thread, event) % counters]
                .0
                .fetch_add(1, Ordering::Relaxed);
        }
    });
    let by_addition = measure(by_addition.collect(), events);
    let by_lock = (0..threads).map(|thread| {
        let locks = &locks;
        move |event| *locks[any(thread, event) % counters].0.lock().unwrap() += 1
    });
    let by_lock = measure(by_lock.collect(), events);
    let added: u64 = atomics
        .iter()
        .map(|one| one.0.load(Ordering::Relaxed))
        .sum();
    let locked: u64 = locks.iter().map(|one| *one.0.lock().unwrap()).sum();
    assert_eq!((added, locked), (threads * events, threads * events));
    [by_addition, by_lock]
}

#[ignore = "a measurement, not a judgement"]
#[test]
fn one_count_alone_and_contended() {
    // A tenth of a second: the system brings a thread's account up to date every few milliseconds.
    const EVENTS: u64 = 20_000_000;
    println!("ns of processor time for a count, best of 3");
    println!("{:<24} {:>10} {:>10}", "", "fetch_add", "lock");
    for threads in [1, 2] {
        for counters in [1, 8, 64, 256] {
            let mut runs = (0..3).map(|_| counts(threads, counters, EVENTS));
            let first = runs.next().expect("a run");
            let [added, locked] = runs.fold(first.map(|speed| speed.1), |best, [a, l]| {
                [best[0].min(a.1), best[1].min(l.1)]
            });
            let name = format!("{threads} threads, {counters} counters");
            println!("{name:<24} {added:>10.1} {locked:>10.1}");
        }
    }
}

#[ignore = "a measurement, not a judgement"]
#[test]
fn scaling_with_threads() {
    const EVENTS: u64 = 1_000_000;
    let cores = thread::available_parallelism().map_or(1, usize::from) as u64;
    println!("{cores} cores; known users; best of 7");
    let mut alone = 0.0;
    let mut threads = 1;
    while threads <= 2 * cores {
        let Speed(millions, ns) = best(|| ours(USERS, threads, EVENTS, known));
        if threads == 1 {
            alone = millions;
        }
        let ratio = millions / alone;
        println!(
            "{threads:>3} threads {millions:>8.1} million a second, {ratio:.2} times one; {ns:>6.1} ns each"
        );
        threads *= 2;
    }
}
