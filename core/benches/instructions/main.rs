//! What things cost, in instructions, with a hard limit for each: `core/benches/budgets.txt` is the
//! table, `.ci/budgets` runs it. Counts are those of one call, without its set-up, and the same on
//! every run and machine with the same compiler.
//!
//! Every set-up makes the call once before it is counted and checks what comes out, so that nothing
//! gets cheap by failing early.

// What the macros make is public and has no documentation.
#![allow(missing_docs, unreachable_pub)]

mod budget;
mod input;
mod json;
mod router;
mod stats;
mod step;
mod wire;

use iai_callgrind::{library_benchmark, library_benchmark_group};

use budget::budget;

// What every count has in it: the call and its argument.
#[library_benchmark]
#[bench::call(args = (input::lone(b"")), config = budget("nothing/nothing/call"))]
fn nothing(bytes: &'static [u8]) -> &'static [u8] {
    bytes
}

library_benchmark_group!(
    name = nothing_group;
    benchmarks = nothing
);

use json::json_group;
use router::router_group;
use stats::stats_group;
use step::step_group;
use wire::wire_group;

iai_callgrind::main!(
    library_benchmark_groups = nothing_group,
    wire_group,
    router_group,
    json_group,
    stats_group,
    step_group
);
