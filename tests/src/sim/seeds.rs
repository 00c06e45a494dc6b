//! Many seeds, on all cores.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::hap::{Hap, Haps};
use super::scenario::{Outcome, Scenario};
use super::seam::Seam;

/// What many seeds came to.
#[derive(Clone, Debug, Default)]
pub struct Seeds {
    /// How many were run.
    pub runs: u64,
    /// The sum of all outcomes; without their transcripts.
    pub all: Outcome,
    /// The same for each seam, in the order of [`Seam::ALL`].
    pub seams: [OnSeam; Seam::ALL.len()],
    /// The most turns that a run took, and its seed.
    pub longest: (u64, u64),
    /// Of the failures that were found, that with the lowest seed.
    pub failure: Option<Failure>,
}

/// What the runs on one seam came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnSeam {
    /// How many.
    pub runs: u64,
    /// How long they took, all together; next to another seam's this says which is slower, even
    /// while the machine has other things to do.
    pub took: Duration,
    /// What the network did.
    pub haps: Haps,
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
                let began = Instant::now();
                let scenario = Scenario::new(seed);
                match attempt(&scenario) {
                    Ok(outcome) => mine.note(&scenario, &outcome, began.elapsed()),
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
    fn note(&mut self, scenario: &Scenario, one: &Outcome, took: Duration) {
        self.runs += 1;
        self.longest = self.longest.max((one.polls, scenario.seed));
        let of_seam = &mut self.seams[scenario.seam as usize];
        of_seam.runs += 1;
        of_seam.took += took;
        of_seam.haps.add(&one.haps);
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
        for (all, more) in self.seams.iter_mut().zip(&other.seams) {
            all.runs += more.runs;
            all.took += more.took;
            all.haps.add(&more.haps);
        }
        let lowest = |failure: &Option<Failure>| failure.as_ref().map_or(u64::MAX, |f| f.seed);
        if lowest(&other.failure) < lowest(&self.failure) {
            self.failure = other.failure;
        }
    }

    /// What the network did, of all runs together.
    pub fn haps(&self) -> &Haps {
        &self.all.haps
    }

    /// What the network did in the runs on one seam.
    pub fn haps_on(&self, seam: Seam) -> &Haps {
        &self.seams[seam as usize].haps
    }

    /// One line for each kind of hap, with a column for each seam.
    pub fn table(&self) -> String {
        let mut table = String::new();
        let mut row = |name: &str, count: &dyn Fn(&OnSeam) -> u64| {
            for of_seam in &self.seams {
                table.push_str(&format!("{:>11}", count(of_seam)));
            }
            table.push_str(&format!(" {name}\n"));
        };
        row(&format!("runs on {:?}", Seam::ALL), &|one| one.runs);
        row("ms, together", &|one| one.took.as_millis() as u64);
        for hap in Hap::ALL {
            row(&format!("{hap:?}"), &|one| one.haps.count(hap));
        }
        table
    }
}
