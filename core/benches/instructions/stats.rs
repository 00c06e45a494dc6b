//! One event in the statistics that workers share.

use core::sync::atomic::AtomicU64;

use barewire_core::stats::{Amount, Capacity, Key, Recorder, Shard, Stats};
use iai_callgrind::{library_benchmark, library_benchmark_group};

use crate::budget::budget;
use crate::input::{leak, lone};
use crate::json::amount;

/// Small, so that set-up is quick; no count depends on it.
const CAPACITY: Capacity = Capacity {
    users_max: 4096,
    id_bytes_max: 1 << 16,
};

pub(crate) const USER: &[u8] = b"user_12345";

/// The one worker of new statistics that know one user.
pub(crate) fn recorder() -> &'static mut Recorder<'static> {
    let words = |len| -> &'static [AtomicU64] {
        let words: Vec<_> = core::iter::repeat_with(|| AtomicU64::new(0))
            .take(len)
            .collect();
        words.leak()
    };
    let shards = &*leak([Shard::new()]);
    let (table, arena) = (CAPACITY.table_words(), CAPACITY.arena_words(1));
    // A fixed key: the same places on every run.
    let key = Key::new(1, 2);
    let stats = Stats::new(shards, words(table), words(arena), CAPACITY, key);
    let stats: &'static Stats<'static> = leak(stats.unwrap());
    let recorder = leak(stats.recorder(0).unwrap());
    recorder.record(USER, amount()).unwrap();
    recorder
}

pub type Case = (&'static mut Recorder<'static>, &'static [u8], Amount);

fn event(id: &[u8]) -> Case {
    (recorder(), lone(id), amount())
}

#[library_benchmark]
#[bench::known_user(args = (USER), setup = event, config = budget("stats/record/known_user"))]
#[bench::new_user(args = (b"user_67890"), setup = event, config = budget("stats/record/new_user"))]
fn record((recorder, id, amount): Case) -> bool {
    recorder.record(id, amount).is_ok()
}

library_benchmark_group!(
    name = stats_group;
    benchmarks = record
);
