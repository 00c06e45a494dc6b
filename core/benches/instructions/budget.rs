//! The table of budgets.

use iai_callgrind::{Callgrind, EventKind, LibraryBenchmarkConfig};

/// Columns: name, calls, budget of the default build, budget of x86-64-v3.
const TABLE: &str = include_str!("../budgets.txt");

/// Set by `.ci/budgets` to prove that every limit bites. It can only tighten.
const BITE: &str = "BAREWIRE_BUDGETS_ARE_ONE";

/// The limit of the benchmark of that name, in the build at hand.
///
/// # Panics
/// If the table has no such row: what has no budget is not measured.
pub(crate) fn budget(name: &str) -> LibraryBenchmarkConfig {
    let limit = match std::env::var_os(BITE) {
        Some(_) => 1,
        None => limit(name).unwrap_or_else(|| panic!("no row in budgets.txt: {name}")),
    };
    let mut callgrind = Callgrind::with_args(["--cache-sim=no"]);
    callgrind.hard_limits([(EventKind::Ir, limit)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

/// Instructions of the whole benchmark: those of one call, times the calls.
fn limit(name: &str) -> Option<u64> {
    let row = TABLE
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|row| row.first() == Some(&name))?;
    let column = if cfg!(target_feature = "avx2") { 3 } else { 2 };
    let number = |at: usize| row.get(at)?.parse::<u64>().ok();
    Some(number(1)? * number(column)?)
}
