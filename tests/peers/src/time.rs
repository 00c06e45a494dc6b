//! Time: both sides in short slices by turns, so that a busy machine and a changing clock meet
//! both.

use std::time::{Duration, Instant};

use crate::pairs::{Pair, Run};

/// How long, and how often.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// What a slice of one side lasts at least: far longer than reading the clock, far shorter than
    /// what the scheduler gives.
    pub slice: Duration,
    /// Pairs of slices in one round over all rows.
    pub slices: usize,
    /// Rounds: what disturbs a row for a while does not disturb all of its slices.
    pub rounds: usize,
}

impl Effort {
    /// For a table to publish: about 0.4 s a row.
    pub const FULL: Effort = Effort {
        slice: Duration::from_micros(50),
        slices: 400,
        rounds: 10,
    };
    /// For a look: about 0.06 s a row.
    pub const QUICK: Effort = Effort {
        slice: Duration::from_micros(30),
        slices: 200,
        rounds: 5,
    };
}

/// What a row took.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Nanoseconds of a call, the median of all slices.
    pub ours: f64,
    /// The same for the peer.
    pub theirs: f64,
    /// Theirs in terms of ours: the median over the pairs of slices.
    pub ratio: f64,
    /// Where that median lies with 95 %, by order statistics: no shape of the noise is assumed,
    /// only that one pair does not know of the other.
    pub interval: (f64, f64),
}

/// Measures all rows.
pub fn measure(pairs: &mut [Pair], effort: Effort) -> Vec<Times> {
    let turns: Vec<_> = pairs
        .iter_mut()
        .map(|pair| {
            let (ours, theirs) = (&mut pair.ours, &mut pair.theirs);
            (pace(ours, effort.slice), pace(theirs, effort.slice))
        })
        .collect();
    let mut slices = vec![Vec::new(); pairs.len()];
    for _ in 0..effort.rounds {
        for ((pair, (ours, theirs)), slices) in pairs.iter_mut().zip(&turns).zip(&mut slices) {
            for number in 0..effort.slices {
                // Each side goes first as often as the other.
                let both = if number % 2 == 0 {
                    let first = slice(&mut pair.ours, *ours);
                    (first, slice(&mut pair.theirs, *theirs))
                } else {
                    let first = slice(&mut pair.theirs, *theirs);
                    (slice(&mut pair.ours, *ours), first)
                };
                slices.push(both);
            }
        }
    }
    let calls = pairs.iter().map(|pair| f64::from(pair.calls));
    slices
        .iter()
        .zip(calls)
        .map(|(slices, calls)| Times::of(slices, calls))
        .collect()
}

/// Turns that take at least that long.
fn pace(run: &mut Run, at_least: Duration) -> u64 {
    let mut turns = 1;
    loop {
        // The first time may find everything cold.
        let fastest = (0..5).map(|_| slice(run, turns) * turns as f64);
        if fastest.fold(f64::MAX, f64::min) >= at_least.as_nanos() as f64 {
            return turns;
        }
        turns = turns * 5 / 4 + 1;
    }
}

/// Nanoseconds of one turn.
fn slice(run: &mut Run, turns: u64) -> f64 {
    let start = Instant::now();
    run(turns);
    start.elapsed().as_nanos() as f64 / turns as f64
}

impl Times {
    fn of(slices: &[(f64, f64)], calls: f64) -> Self {
        let ratios = sorted(slices.iter().map(|(ours, theirs)| theirs / ours));
        let (low, high) = ranks(ratios.len());
        Times {
            ours: median(&sorted(slices.iter().map(|both| both.0))) / calls,
            theirs: median(&sorted(slices.iter().map(|both| both.1))) / calls,
            ratio: median(&ratios),
            interval: (ratios[low], ratios[high]),
        }
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
}

/// The ranks between which the median of what `count` values are drawn from lies with 95 %: how
/// many of them are below it is binomial.
fn ranks(count: usize) -> (usize, usize) {
    let (count, most) = (count as f64, count - 1);
    let low = ((count - 1.96 * count.sqrt()) / 2.0).floor().max(0.0) as usize;
    (low.min(most), most - low.min(most))
}

/// The mean of ratios.
pub fn geometric_mean(ratios: &[f64]) -> f64 {
    let sum: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
    (sum / ratios.len() as f64).exp()
}

#[cfg(test)]
mod tests {
    use super::{Times, geometric_mean, median, ranks};

    #[test]
    fn a_tenth_of_the_slices_disturbed_changes_little() {
        // 2.0 with a ripple, every tenth one disturbed a hundredfold on one side.
        let slices: Vec<_> = (0..1000)
            .map(|n| {
                let ripple = f64::from(n % 7) / 100.0;
                let disturbed = if n % 10 == 0 { 100.0 } else { 1.0 };
                (10.0 * disturbed, 20.0 + ripple)
            })
            .collect();
        let times = Times::of(&slices, 10.0);
        assert!((times.ratio - 2.0).abs() < 0.01, "{times:?}");
        assert!(times.interval.0 <= times.ratio && times.ratio <= times.interval.1);
        assert!(times.interval.1 - times.interval.0 < 0.01, "{times:?}");
        assert_eq!(times.ours, 1.0);
    }

    #[test]
    fn ranks_are_those_of_the_binomial_distribution() {
        // Tables have 40 and 61 of 100, counted from 1.
        assert_eq!(ranks(100), (40, 59));
        assert_eq!(ranks(1), (0, 0));
    }

    #[test]
    fn means_and_medians_are_right() {
        assert!((geometric_mean(&[1.0, 4.0]) - 2.0).abs() < 1e-12);
        assert_eq!(median(&[1.0, 2.0, 4.0]), 2.0);
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), 3.0);
    }
}
