//! Many seeds, on all cores.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::hap::Haps;
use super::scenario::{Outcome, Scenario};

/// What many seeds came to.
#[derive(Clone, Debug, Default)]
pub struct Seeds {
    /// How many were run.
    pub runs: u64,
    /// The sum of all outcomes; without their transcripts.
    pub all: Outcome,
    /// The most turns that a run took, and its seed.
    pub longest: (u64, u64),
    /// Of the failures that were found, that with the lowest seed.
    pub failure: Option<Failure>,
}

/// A seed that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which one.
    pub seed: u64,
    /// What went wrong.
    pub fault: String,
}

/// Runs one scenario; a panic is a failure as well.
///
/// # Errors
/// What went wrong.
pub fn attempt(scenario: &Scenario) -> Result<Outcome, String> {
    match catch_unwind(AssertUnwindSafe(|| scenario.run())) {
        Ok(outcome) => outcome,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or(panic.downcast_ref::<&str>().copied());
            Err(format!("panicked: {}", text.unwrap_or("see above")))
        }
    }
}

/// How many seeds a thread takes at a time: a run takes less than a millisecond.
const BATCH: u64 = 16;

/// Runs these seeds on so many threads, until all are done or one has failed.
pub fn seeds(range: std::ops::Range<u64>, threads: usize) -> Seeds {
    let (next, end) = (AtomicU64::new(range.start), AtomicU64::new(range.end));
    let result = Mutex::new(Seeds::default());
    let work = || {
        let mut mine = Seeds::default();
        loop {
            let from = next.fetch_add(BATCH, Ordering::Relaxed);
            let to = (from + BATCH).min(end.load(Ordering::Relaxed));
            if from >= to {
                break;
            }
            for seed in from..to {
                match attempt(&Scenario::new(seed)) {
                    Ok(outcome) => mine.note(seed, &outcome),
                    Err(fault) => {
                        mine.failure = Some(Failure { seed, fault });
                        // Who is at a lower seed goes on, so the lowest one is found.
                        end.fetch_min(seed, Ordering::Relaxed);
                        break;
                    }
                }
            }
        }
        if let Ok(mut result) = result.lock() {
            result.add(mine);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(work);
        }
    });
    result.into_inner().unwrap_or_default()
}

impl Seeds {
    fn note(&mut self, seed: u64, one: &Outcome) {
        self.runs += 1;
        self.longest = self.longest.max((one.polls, seed));
        self.sum(one);
    }

    fn sum(&mut self, one: &Outcome) {
        let all = &mut self.all;
        all.polls += one.polls;
        all.answers += one.answers;
        all.events += one.events;
        all.snapshots += one.snapshots;
        all.refused += one.refused;
        all.stalled += one.stalled;
        all.gave_way += one.gave_way;
        all.haps.add(&one.haps);
    }

    fn add(&mut self, other: Seeds) {
        self.runs += other.runs;
        self.longest = self.longest.max(other.longest);
        self.sum(&other.all);
        let lowest = |failure: &Option<Failure>| failure.as_ref().map_or(u64::MAX, |f| f.seed);
        if lowest(&other.failure) < lowest(&self.failure) {
            self.failure = other.failure;
        }
    }

    /// What the network did, of all runs together.
    pub fn haps(&self) -> &Haps {
        &self.all.haps
    }
}
