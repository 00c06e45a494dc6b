//! The whole server on the simulated kernel: every answer, every count and every deadline, whatever
//! the kernel does.
//!
//! `BAREWIRE_SEEDS=100000` runs so many seeds, `BAREWIRE_SEED=7` only that one and shows it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use barewire_tests::sim::scenario::{Outcome, Scenario};

/// Seeds of a usual run: some seconds.
const SEEDS: u64 = 2_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs one seed; a failure shows it in full.
fn run(seed: u64) -> Outcome {
    let scenario = Scenario::new(seed);
    let fault = match catch_unwind(AssertUnwindSafe(|| scenario.run())) {
        Ok(Ok(outcome)) => return outcome,
        Ok(Err(fault)) => fault,
        Err(_) => "it panicked, see above".to_owned(),
    };
    panic!("BAREWIRE_SEED={seed}: {fault}\n{scenario:#?}\nBAREWIRE_SEED={seed}: {fault}");
}

#[test]
fn every_answer_is_right_whatever_the_kernel_does() {
    if let Some(seed) = number("BAREWIRE_SEED") {
        println!("{:#?}\n{:?}", Scenario::new(seed), run(seed));
        return;
    }
    let seeds = number("BAREWIRE_SEEDS").unwrap_or(SEEDS);
    let mut all = Outcome::default();
    let (mut most, mut worst) = (0, 0);
    for seed in 0..seeds {
        let outcome = run(seed);
        all.answers += outcome.answers;
        all.events += outcome.events;
        all.refused += outcome.refused;
        all.stalled += outcome.stalled;
        all.gave_way += outcome.gave_way;
        all.polls += outcome.polls;
        if outcome.polls > most {
            (most, worst) = (outcome.polls, seed);
        }
    }
    let Outcome {
        answers,
        events,
        refused,
        stalled,
        gave_way,
        polls,
        ..
    } = all;
    println!(
        "{seeds} seeds: {answers} answers, {events} events, {refused} refused, {stalled} stalled, \
         {gave_way} gave way, {polls} polls (most: {most}, seed {worst})"
    );
    // That nothing went wrong says little if nothing happened.
    let least = seeds as usize;
    assert!(answers > 20 * least && events > 5 * least, "too little");
    assert!(refused > least / 20 && stalled > least / 5, "too little");
    assert!(gave_way > least / 10, "too little");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..50 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
    assert_ne!(run(1), run(2));
}

#[test]
fn what_was_found_once_stays_found() {
    // An answer of 431 was lost: its lingering connection had no slot, and none was free. A ticket
    // for statistics stayed behind: its peer was lost after the request was put off, but before
    // what stood in front of it was sent. (Who changes the scenarios has to look for new seeds.)
    for seed in [144, 766] {
        run(seed);
    }
}
