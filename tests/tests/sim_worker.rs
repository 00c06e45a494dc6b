//! The whole server on the simulated network: every answer, every count and every deadline,
//! whatever the network does, and whichever way it is asked.
//!
//! `BAREWIRE_SEEDS=100000` runs so many seeds, `BAREWIRE_SEED=7` only that one and shows it.

use barewire_tests::sim::scenario::{Outcome, Scenario};
use barewire_tests::sim::{Hap, Seam, attempt, seeds, shrink};

/// Seeds of a usual run: a few seconds.
const SEEDS: u64 = 4_000;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// Runs one seed; a failure is shown as a test that one can paste.
fn run(seed: u64) -> Outcome {
    let scenario = Scenario::new(seed);
    attempt(&scenario).unwrap_or_else(|fault| fail(seed, &fault))
}

fn fail(seed: u64, fault: &str) -> ! {
    // First, for whoever has no time to wait for the rest.
    println!("BAREWIRE_SEED={seed}: {fault}");
    if let Some(small) = shrink(&Scenario::new(seed)) {
        let name = format!("what_seed_{seed}_found_stays_found");
        let test = small.scenario.to_test(&name, &small.fault);
        println!(
            "shrunk with {} tries, to be pasted into tests/sim_found.rs:\n\n{test}",
            small.tries
        );
    }
    panic!("BAREWIRE_SEED={seed}: {fault}");
}

#[test]
fn every_answer_is_right_whatever_the_kernel_does() {
    if let Some(seed) = number("BAREWIRE_SEED") {
        println!("{:#?}\n{:?}", Scenario::new(seed), run(seed));
        return;
    }
    let count = number("BAREWIRE_SEEDS").unwrap_or(SEEDS);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let seen = seeds(0..count, threads);
    if let Some(failure) = &seen.failure {
        fail(failure.seed, &failure.fault);
    }
    let all = &seen.all;
    println!(
        "{} seeds: {} answers, {} events, {} snapshots, {} refused, {} stalled, {} gave way, {} \
         polls (most and its seed: {:?})\n{}",
        seen.runs,
        all.answers,
        all.events,
        all.snapshots,
        all.refused,
        all.stalled,
        all.gave_way,
        all.polls,
        seen.longest,
        seen.table(),
    );
    // That nothing went wrong says little if nothing happened.
    let least = count as usize;
    assert_eq!(seen.runs, count);
    assert!(
        all.answers > 20 * least && all.events > 5 * least,
        "too little"
    );
    assert!(
        all.refused > least / 20 && all.stalled > least / 5,
        "too little"
    );
    assert!(
        all.gave_way > least / 20 && all.snapshots > least,
        "too little"
    );
}

#[test]
fn every_kind_of_fault_really_comes() {
    let seen = seeds(0..3_000, 2);
    assert!(seen.failure.is_none(), "{:?}", seen.failure);
    for hap in Hap::ALL {
        for seam in hap.seams() {
            let count = seen.haps_on(*seam).count(hap);
            assert!(count > 0, "{hap:?} never happened on {seam:?}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..50 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
    assert_ne!(run(1), run(2));
    for seam in Seam::ALL {
        let some = (0..60).filter(|seed| Scenario::new(*seed).seam == seam);
        assert_eq!(some.count(), 20);
    }
}
