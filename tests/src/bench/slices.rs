//! What slices of time say: costs, and ratios of slices that lay side by side.

use std::time::Duration;

/// One server for a moment.
#[derive(Clone, Copy, Debug)]
pub struct Slice {
    /// Answers in it.
    pub answers: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Processor time of the server in nanoseconds.
    pub cpu_ns: u64,
    /// How much of the time the client worked and did not wait.
    pub worked: Duration,
}

/// All slices of one server in one scenario, at least one.
#[derive(Clone, Debug, Default)]
pub struct Slices(pub Vec<Slice>);

impl Slices {
    /// Microseconds of the server's processor for each answer, slice by slice.
    pub fn costs(&self) -> Vec<f64> {
        let cost = |slice: &Slice| slice.cpu_ns as f64 / 1e3 / slice.answers as f64;
        self.0.iter().map(cost).collect()
    }

    /// Answers per second, slice by slice.
    pub fn rates(&self) -> Vec<f64> {
        let rate = |slice: &Slice| slice.answers as f64 / slice.elapsed.as_secs_f64();
        self.0.iter().map(rate).collect()
    }

    /// Share of the time that the server was at work (1: it had a processor all the time), slice by
    /// slice.
    pub fn shares(&self) -> Vec<f64> {
        let share = |slice: &Slice| slice.cpu_ns as f64 / slice.elapsed.as_nanos() as f64;
        self.0.iter().map(share).collect()
    }

    /// Microseconds of the client's work for each answer, slice by slice.
    pub fn client_costs(&self) -> Vec<f64> {
        let cost = |slice: &Slice| slice.worked.as_secs_f64() * 1e6 / slice.answers as f64;
        self.0.iter().map(cost).collect()
    }

    /// What this server costs in units of what another one does, round by round: what else went on
    /// in a round hit both.
    pub fn ratios(&self, other: &Slices) -> Vec<f64> {
        let pairs = self.costs().into_iter().zip(other.costs());
        pairs.map(|(own, other)| own / other).collect()
    }
}

/// The smallest value that a share `q` (0 to 1) of all do not exceed.
///
/// # Panics
/// If there is none.
pub fn quantile(values: &mut [u32], q: f64) -> u32 {
    values.sort_unstable();
    let rank = (q * values.len() as f64).ceil() as usize;
    values[rank.clamp(1, values.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_slices() {
        let slices = |costs: &[u64]| {
            let slice = |us: &u64| Slice {
                answers: 1_000,
                elapsed: Duration::from_millis(20),
                cpu_ns: us * 1_000_000,
                worked: Duration::from_millis(4),
            };
            Slices(costs.iter().map(slice).collect())
        };
        let (one, other) = (slices(&[10, 5, 20]), slices(&[5, 5, 40]));
        assert_eq!(one.costs(), [10.0, 5.0, 20.0]);
        assert_eq!(one.rates(), [50_000.0; 3]);
        assert_eq!(one.shares(), [0.5, 0.25, 1.0]);
        assert_eq!(one.client_costs(), [4.0; 3]);
        assert_eq!(one.ratios(&other), [2.0, 1.0, 0.5]);
        let mut all: Vec<u32> = (1..=200).rev().collect();
        assert_eq!(
            (quantile(&mut all, 0.5), quantile(&mut all, 0.99)),
            (100, 198)
        );
        assert_eq!(quantile(&mut [7], 0.99), 7);
    }
}
