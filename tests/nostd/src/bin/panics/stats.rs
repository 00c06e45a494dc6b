//! Counters, users and sums.

use barewire_core::stats::{
    Amount, Capacity, Key, Recorder, Shard, Snapshot, SoloStats, Stats, Sum, Ticket,
};

use super::entry;

pub(crate) fn entries() {
    entries!(3: Amount::from_small);
    entries!(4: Amount::from_decimal);
    entries!(2: Sum::plus, Sum::plus_sum, Sum::write_decimal);
    entries!(3: Sum::write_average);
    entries!(2: Snapshot::write_json);
    entries!(1: Capacity::table_words);
    entries!(2: Capacity::arena_words, Key::new);
    entries!(0: Capacity::default, Shard::new, Shard::default);
    entries!(3: SoloStats::new, SoloStats::record);
    entries!(1: SoloStats::refuse, SoloStats::snapshot, SoloStats::reset);
    entries!(5: Stats::new);
    entries!(2: Stats::recorder);
    entries!(1: Stats::snapshot, Stats::reset);
    entries!(3: Recorder::record);
    entries!(1: Recorder::refuse, Recorder::turn, Recorder::offline);
    // With `Recorder::drop`.
    entries!(1: drop::<Recorder<'_>>);
    entries!(1: Ticket::is_reset);
    entries!(2: Ticket::poll, Ticket::poll_from_outside);
}
